"""The table of the gate `previous_environment`: standings, and what each comes to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from engine.errors import GateError
from engine.gates import registry
from engine.gates.previous_environment import PreviousEnvironmentConfig
from engine.model.execution import StepResult, StepStatus
from engine.model.standing import Standing
from engine.model.verdict import Allow, Defer, Deny, Verdict
from tests.gates.builders import NOON, Services, context

THERE, LATER = UUID(int=1), UUID(int=2)


def standing(
    *,
    ago: float = 2,
    replaced_ago: float | None = None,
    failed_since: UUID | None = None,
    steps: Sequence[StepResult] = (),
) -> Standing:
    return Standing(
        environment="staging",
        promotion_id=THERE,
        succeeded_at=NOON - timedelta(hours=ago),
        is_current=replaced_ago is None,
        replaced_at=None if replaced_ago is None else NOON - timedelta(hours=replaced_ago),
        failed_since=failed_since,
        steps=tuple(steps),
    )


def step(
    node: str,
    type: str = "verify",
    status: StepStatus = StepStatus.SUCCEEDED,
    compensates: str | None = None,
) -> StepResult:
    return StepResult(
        node_id=node,
        type=type,
        run_id=UUID(int=9),
        status=status,
        compensates=compensates,
        started_at=NOON,
        ended_at=NOON,
    )


async def asked(found: Standing, now: datetime = NOON, **config: Any) -> Verdict:
    return await registry.get("previous_environment").evaluate(
        context("previous_environment", {"environment": "staging", **config}, now=now),
        Services(standings={"staging": found}),
    )


NEVER = Standing(environment="staging")


@pytest.mark.parametrize(
    ("found", "config", "kind", "told"),
    [
        (NEVER, {}, Deny, "web@1.0.0 has not succeeded in staging; promote it there first"),
        (standing(), {}, Allow, "has been in staging since 2026-03-02 10:00:00 UTC"),
        (standing(), {"soak": "2h"}, Allow, "has been in staging"),
        (standing(), {"soak": "3h"}, Defer, "goes on after 3h, at 2026-03-02 13:00:00 UTC"),
        (standing(replaced_ago=1), {}, Deny, "something else took its place at 2026-03-02 11:00"),
        (standing(replaced_ago=1), {"must_be_current": False}, Allow, "has been in staging"),
        (
            standing(replaced_ago=1),
            {"must_be_current": False, "soak": "1h"},
            Allow,
            "has been in staging",
        ),
        (
            standing(replaced_ago=1),
            {"must_be_current": False, "soak": "90m"},
            Deny,
            "for less than 1h30m before something else",
        ),
        (standing(failed_since=LATER), {"soak": "3h"}, Deny, f"promotion {LATER}"),
        (standing(), {"verified": ["smoke"]}, Deny, "not verified in staging: no step smoke"),
        (standing(steps=[step("smoke")]), {"verified": ["smoke"]}, Allow, ""),
        (standing(steps=[step("smoke"), step("load")]), {"verified": ["verify"]}, Allow, ""),
        (
            standing(steps=[step("smoke"), step("load", status=StepStatus.SKIPPED)]),
            {"verified": ["verify"]},
            Deny,
            "step load skipped",
        ),
        (
            standing(steps=[step("smoke"), step("load", status=StepStatus.FAILED)]),
            {"verified": ["smoke"]},
            Allow,
            "",
        ),
        (
            standing(steps=[step("undo", compensates="deploy")]),
            {"verified": ["undo"]},
            Deny,
            "no step undo",
        ),
        # A node that is called like a type is meant before the type.
        (
            standing(steps=[step("verify", "command"), step("x", status=StepStatus.FAILED)]),
            {"verified": ["verify"]},
            Allow,
            "",
        ),
        (
            standing(steps=[step("a", status=StepStatus.CANCELLED)]),
            {"verified": ["a", "b"], "soak": "9h"},
            Deny,
            "step a cancelled; no step b",
        ),
    ],
)
async def test_what_a_standing_comes_to(
    found: Standing, config: dict[str, Any], kind: type[Verdict], told: str
) -> None:
    verdict = await asked(found, **config)
    assert isinstance(verdict, kind)
    assert told in verdict.reason


async def test_it_waits_to_the_moment_and_then_allows() -> None:
    found = standing(ago=2)
    waiting = await asked(found, soak="2h0m1s")
    assert isinstance(waiting, Defer)
    assert waiting.until == NOON + timedelta(seconds=1)
    assert waiting.attributes["previous_environment.soak_seconds"] == 7200
    early = await asked(found, waiting.until - timedelta(microseconds=1), soak="2h0m1s")
    assert isinstance(early, Defer)
    assert isinstance(await asked(found, waiting.until, soak="2h0m1s"), Allow)


async def test_the_span_names_the_promotion_that_it_rests_on() -> None:
    verdict = await asked(standing())
    assert verdict.attributes["previous_environment.name"] == "staging"
    assert verdict.attributes["previous_environment.promotion_id"] == str(THERE)


async def test_an_environment_that_does_not_exist_breaks_the_gate() -> None:
    gate = registry.get("previous_environment")
    with pytest.raises(GateError, match="none called 'staging'") as broken:
        await gate.evaluate(context("previous_environment", {"environment": "staging"}), Services())
    assert not broken.value.retryable


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"environment": "Not A Name"},
        {"environment": "staging", "soak": "-1h"},
        {"environment": "staging", "soak": "400d"},
        {"environment": "staging", "must_be_current": "yes"},
        {"environment": "staging", "verified": [""]},
        {"environment": "staging", "verify": ["smoke"]},
    ],
)
def test_a_wrong_configuration_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PreviousEnvironmentConfig.model_validate(config)


def test_rollbacks_need_not_pass_it() -> None:
    assert not registry.get("previous_environment").holds_for_rollbacks
