"""The built-in template `canary-with-verification`, with real agents and a real channel."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowHandle

from engine.model.execution import StepResult, StepStatus
from engine.model.promotion import PromotionStatus
from tests.harness.http import serving
from tests.harness.system import System, running_system, with_agents
from tests.workflows.faults import end

ENVIRONMENT = """\
    template: canary-with-verification
    parameters:
      notify: {{webhook: {{url: "{url}/told"}}}}
      batch_size: 50%
      soak: 1s
      checks:
        - {{name: answers, http: {{url: "{url}/answers", method: POST}}}}
        - {{name: runs, command: {{command: [test, -d, "{home}"]}}}}
"""


@dataclass
class Channel:
    """What a target answers to checks, and what people were told."""

    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def take(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        self.messages.append(json.loads(body))
        return b""


@contextmanager
def channel(*, answers: bool) -> Iterator[Channel]:
    made = Channel()
    takes = {"/told": made.take}
    if answers:
        takes["/answers"] = lambda body, headers: b"ok"
    with serving(takes) as made.url:
        yield made


async def promoted(
    system: System, made: Channel
) -> tuple[PromotionStatus, dict[str, StepResult], list[StepResult]]:
    """A promotion's status at its end, its steps by node, and those that took something back."""
    more = ENVIRONMENT.format(url=made.url, home=system.directory)
    await system.apply("environments:\n" + system.environment_yaml("production", more=more))
    async with with_agents(system, "production-t1", "production-t2"):
        handle: WorkflowHandle[Any, Any] = await system.start(
            await system.release("1.0.0"), "production", reason="a new colour"
        )
        await end(handle)
    promotion = await system.store.promotions.get(UUID(handle.id.removeprefix("promotion/")))
    steps = await system.store.executions.steps(UUID(handle.id.removeprefix("promotion/")))
    own = {step.node_id: step for step in steps if step.compensates is None}
    return promotion.status, own, [step for step in steps if step.compensates is not None]


async def test_a_release_that_passes_its_checks_is_announced(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with channel(answers=True) as made:
        async with running_system(tmp_path, temporal_address, monkeypatch) as system:
            status, steps, taken_back = await promoted(system, made)
            for target in ("t1", "t2"):
                assert system.running_version("production", target) == "version 1.0.0\n"
    assert status is PromotionStatus.SUCCEEDED
    assert {step.status for step in steps.values()} == {StepStatus.SUCCEEDED}
    assert steps["deploy"].inputs == {"strategy": {"type": "rolling", "batch_size": "50%"}}
    assert steps["deploy"].detail == "2 targets, rolling"
    assert taken_back == []
    (message,) = made.messages
    assert message["subject"] == "web@1.0.0 in production is deployed and verified"
    assert message["text"] == "2 checks passed. Requested by alice. a new colour"


async def test_a_release_that_fails_its_checks_fails_the_promotion_and_people_are_told(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with channel(answers=False) as made:
        async with running_system(tmp_path, temporal_address, monkeypatch) as system:
            status, steps, taken_back = await promoted(system, made)
    assert status is PromotionStatus.FAILED
    assert steps["verify"].status is StepStatus.FAILED
    assert steps["notify"].status is StepStatus.SKIPPED
    assert [(step.compensates, step.status) for step in taken_back] == [
        ("deploy", StepStatus.SUCCEEDED)
    ]
    (message,) = made.messages
    assert message["subject"] == "web@1.0.0 in production did not pass its verification"
    assert f"--environment production --tenant {system.tenant}" in message["text"]
