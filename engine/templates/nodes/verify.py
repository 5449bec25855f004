"""The node type `verify`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import ClassVar, Self

from pydantic import Field, model_validator

from engine.actions.command import run
from engine.actions.heartbeat import beating
from engine.actions.http import call
from engine.errors import CallError, InputError, StepError
from engine.model.base import Document, Duration, Json, Name, Value
from engine.templates.nodes.command import with_facts
from engine.templates.nodes.expectation import (
    ExpectedAnswer,
    ExpectedEnd,
    check_answer,
    check_end,
)
from engine.templates.protocol import StepReport, StepServices, StepWork


class Check(Document):
    """One thing that has to be so.

    Attributes:
        http: the answer to this request.
        command: the end of this program; it finds the variables of a command step.
        attempts: how often it is tried until it is so.
        interval: between two attempts.
    """

    name: Name
    http: ExpectedAnswer | None = None
    command: ExpectedEnd | None = None
    attempts: int = Field(default=1, ge=1, le=1000, strict=True)
    interval: Duration = Field(
        default=timedelta(seconds=5), gt=timedelta(0), le=timedelta(minutes=10)
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.http is None) == (self.command is None):
            raise ValueError("needs either http or command")
        return self


class VerifyInputs(Document):
    """What a verify step takes: checks, which run side by side and all have to pass."""

    checks: tuple[Check, ...] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        named = [check.name for check in self.checks]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"several checks are called {', '.join(twice)}")
        return self


class _Outcome(Value):
    """How a check ended, as the step puts it out under the check's name."""

    passed: bool
    attempts: int
    detail: str


class Verify:
    """Looks whether what was deployed works.

    Puts out `checks`: by name whether each `passed`, after how many `attempts`, and in `detail` why
    not.
    """

    inputs: ClassVar[type[Document]] = VerifyInputs
    type: ClassVar[str] = "verify"

    async def work(self, work: StepWork, services: StepServices) -> StepReport:
        """Run all checks to their ends, also when one has failed."""
        checks = VerifyInputs.model_validate(work.inputs).checks
        async with beating(services.heartbeat), asyncio.TaskGroup() as group:
            running = [group.create_task(_try(check, work, services)) for check in checks]
        ended = {check.name: task.result() for check, task in zip(checks, running, strict=True)}
        outputs: dict[str, Json] = {
            "checks": {name: outcome.model_dump(mode="json") for name, outcome in ended.items()}
        }
        failed = [f"{name}: {each.detail}" for name, each in ended.items() if not each.passed]
        if failed:
            raise StepError("; ".join(failed), outputs)
        return StepReport(detail=f"{len(ended)} of {len(ended)} checks passed", outputs=outputs)


async def _try(check: Check, work: StepWork, services: StepServices) -> _Outcome:
    for attempt in range(1, check.attempts + 1):
        try:
            await _once(check, work, services)
        except CallError as error:
            told, is_last = str(error), not error.retryable
        except InputError as error:
            told, is_last = str(error), True
        except StepError as error:
            told, is_last = str(error), False
        else:
            return _Outcome(passed=True, attempts=attempt, detail="")
        if is_last or attempt == check.attempts:
            break
        await asyncio.sleep(check.interval.total_seconds())
    return _Outcome(passed=False, attempts=attempt, detail=told)


async def _once(check: Check, work: StepWork, services: StepServices) -> None:
    if check.http is not None:
        key = f"{work.idempotency_key}/{check.name}"
        answer = await call(check.http, resolve_secret=services.secret, idempotency_key=key)
        check_answer(check.http, answer)
    elif check.command is not None:
        request = with_facts(check.command, work)
        check_end(check.command, await run(request, resolve_secret=services.secret))
