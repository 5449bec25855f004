"""Attempts of an agent's task that failed: seen as spans, each linked to the one before."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutType
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.testing import ActivityEnvironment

from activities.agent_task import AgentTaskActivities
from activities.attempts import LONGEST_MESSAGE, AttemptLog, plain
from engine.model.agent_task import AgentTask, TaskAttempt, TaskType
from engine.model.failure import Failure
from engine.projection import project
from engine.telemetry import ids
from engine.telemetry.attempts import earlier_attempts, last_attempt
from engine.telemetry.failures import detail_of
from tests.conformance.checker import deviations
from tests.harness.content import contents
from tests.harness.processes import environment, running
from tests.harness.receiver import Received, Receiver
from tests.harness.retries import obstruct, until_attempt
from tests.harness.system import System, running_system, until, with_agents
from tests.telemetry.samples import START
from tests.telemetry.test_mapping import report, task


@pytest.fixture
async def system(
    receiver: Receiver, tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(
        tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as prepared:
        yield prepared


async def settled(system: System, receiver: Receiver, workflow_id: str) -> list[Received]:
    """The whole trace, which conforms and is the one that the histories tell."""
    await system.until_settled(workflow_id)
    told = (await project(system.client, workflow_id)).spans
    spans = receiver.of(told[0].trace_id)
    assert deviations(spans) == []
    assert contents(spans) == contents(told)
    return spans


def attempts(spans: list[Received], name: str) -> list[Received]:
    found = [span for span in spans if span.name == name]
    return sorted(found, key=lambda span: int(str(span.attributes["task.attempt"])))


async def test_a_failed_attempt_is_a_span_that_the_next_is_linked_to(
    system: System, receiver: Receiver
) -> None:
    await system.apply("environments:\n" + system.environment_yaml("staging", targets=1))
    obstacle = obstruct(system, "staging", "t1")
    async with with_agents(system, "staging-t1"):
        handle = await system.start(await system.release("1.0.0"), "staging")
        await until_attempt(system, handle.id, 3)
        obstacle.unlink()
        await handle.result()
    found = attempts(await settled(system, receiver, handle.id), "agent.task.pull")
    last = found[-1]
    number = int(str(last.attributes["task.attempt"]))
    assert number >= 3
    assert [span.attributes["task.attempt"] for span in found] == list(range(1, number + 1))
    assert [span.attributes["error"] for span in found] == [True] * (number - 1) + [False]
    assert {span.attributes["error.type"] for span in found[:-1]} == {"DriverError"}
    assert {span.parent_span_id for span in found} == {last.parent_span_id}
    assert found[0].links == []
    for before, span in pairwise(found):
        link = {"promotion.link": "previous_attempt"}
        assert span.links == [(before.trace_id, before.span_id, link)]
        assert before.start <= before.end <= span.end
    task_id = str(last.attributes["task.id"])
    for span in found:
        same = span is last
        identity = task_id if same else f"{task_id}/attempt/{span.attributes['task.attempt']}"
        assert span.span_id == ids.span_id(span.trace_id, span.name, identity)
        assert span.attributes["temporalActivityID"] == task_id
    # The task's own span holds all of them, and the wait for the agent ended with the first.
    assert last.start <= found[0].start
    wait = last.attributes["task.wait_seconds"]
    assert isinstance(wait, float)
    assert wait < (found[0].end - last.start) / 1e9


async def test_an_attempt_whose_agent_was_killed_is_told_by_the_next(
    system: System, receiver: Receiver, temporal_address: str
) -> None:
    agent = f"{system.tenant}-host"
    go = system.settings.home / "go"
    wait = f"until [ -e {go} ]; do sleep 0.1; done"
    await system.apply(
        "environments:\n  - name: staging\n    targets:\n"
        f"      - {{name: t1, agent: {agent}, "
        f"config: {{restart_command: [sh, -c, '{wait}']}}}}\n"
    )
    env = environment(system.settings.home, temporal_address)
    root = str(system.settings.home / "agents")
    command = ("agent", "--id", agent, "--root", root)
    handle = await system.start(await system.release("1.0.0"), "staging")
    current = system.settings.home / "agents" / agent / "t1" / "current"
    try:
        with running(*command, env=env) as killed:
            # The switch is made before the command runs.
            await until(current.exists, "the task runs")
            await asyncio.sleep(2)
            killed.kill()
        go.touch()
        with running(*command, env=env):
            await handle.result()
    finally:
        go.touch()
    found = attempts(await settled(system, receiver, handle.id), "agent.task.deploy")
    lost, last = found
    assert lost.attributes["error.type"] == "AttemptLostError"
    assert (lost.attributes["task.attempt"], last.attributes["task.attempt"]) == (1, 2)
    assert last.links == [(lost.trace_id, lost.span_id, {"promotion.link": "previous_attempt"})]
    # It lasted until its last sign of life, which was before the agent was found to be gone.
    assert lost.end > lost.start
    (started,) = (at for name, at, _ in last.events if name == "task.started")
    assert lost.end < started


async def test_a_task_that_fails_for_good_shows_every_attempt(
    system: System, receiver: Receiver
) -> None:
    await system.apply("environments:\n" + system.environment_yaml("staging", targets=1))
    obstruct(system, "staging", "t1")
    async with with_agents(system, "staging-t1"):
        handle = await system.start(await system.release("1.0.0"), "staging")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    found = attempts(await settled(system, receiver, handle.id), "agent.task.pull")
    assert [span.attributes["task.attempt"] for span in found] == [1, 2, 3, 4, 5]
    assert all(span.attributes["error"] is True for span in found)
    assert [len(span.links) for span in found] == [0, 1, 1, 1, 1]


def attempt(number: int, failure: Failure | None = None) -> TaskAttempt:
    started_at = START + timedelta(seconds=10 * number)
    return TaskAttempt(
        number=number,
        started_at=started_at,
        ended_at=started_at + timedelta(seconds=1),
        failure=failure,
        calls={"http.response.status_code": 500 + number},
    )


FIRST, SECOND = attempt(1, Failure(type="DriverError", message="no room")), attempt(2)


def timed_out(kind: TimeoutType, *details: object) -> ActivityError:
    error = ActivityError(
        "activity error",
        scheduled_event_id=5,
        started_event_id=6,
        identity="",
        activity_type="agent.task.pull",
        activity_id="7",
        retry_state=RetryState.TIMEOUT,
    )
    error.__cause__ = TemporalTimeoutError("timed out", type=kind, last_heartbeat_details=details)
    return error


@pytest.mark.parametrize(
    ("kind", "number", "earlier"),
    [
        (TimeoutType.HEARTBEAT, 2, (FIRST,)),
        (TimeoutType.START_TO_CLOSE, 2, (FIRST,)),
        # The attempt after the second was taken by no agent any more.
        (TimeoutType.SCHEDULE_TO_START, 3, (FIRST, SECOND)),
    ],
)
def test_a_timeout_tells_of_the_attempts_by_the_last_heartbeat(
    kind: TimeoutType, number: int, earlier: tuple[TaskAttempt, ...]
) -> None:
    detail = detail_of(timed_out(kind, plain([FIRST, SECOND])))
    assert isinstance(detail, dict)
    assert detail["attempt"] == number
    assert earlier_attempts(detail) == earlier
    assert last_attempt(detail) == (None if number == 3 else SECOND)


@pytest.mark.parametrize(
    "details", [(), (None,), ("x",), ([],), (["x"],), ([{}],), ([{"number": "1"}],), ({},)]
)
def test_foreign_heartbeats_tell_nothing(details: tuple[object, ...]) -> None:
    assert detail_of(timed_out(TimeoutType.HEARTBEAT, *details)) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        {},
        {"attempt": 2},
        {"attempt": 2, "attempts": "x"},
        {"attempt": 2, "attempts": [{"number": 0}]},
        {"attempt": 2, "attempts": [{"number": 1, "started_at": "yesterday"}]},
    ],
)
def test_what_another_version_tells_is_left_out(told: object) -> None:
    assert earlier_attempts(told) == ()


def test_a_report_tells_of_the_attempts_before_it() -> None:
    told = report(TaskType.PULL).model_copy(update={"earlier": (FIRST, SECOND)})
    assert earlier_attempts(told) == (FIRST, SECOND)


def in_activity(number: int, *details: object) -> ActivityEnvironment:
    made = ActivityEnvironment()
    info = ActivityEnvironment.default_info()
    made.info = dataclasses.replace(info, attempt=number, heartbeat_details=details)
    return made


def test_an_attempt_hands_on_what_it_was_told_and_itself() -> None:
    beats: list[object] = []
    made = in_activity(3, plain([FIRST, SECOND]))
    made.on_heartbeat = lambda *details: beats.append(details[0])

    def work() -> tuple[TaskAttempt, ...]:
        log = AttemptLog()
        log.heartbeat()
        log.called({"http.response.status_code": 503})
        return log.failed(Failure(type="DriverError", message="x" * 5000))

    told = made.run(work)
    assert told[:2] == (FIRST, SECOND)
    assert told[2].number == 3
    assert told[2].failure == Failure(type="DriverError", message="x" * LONGEST_MESSAGE)
    assert told[2].calls == {"http.response.status_code": 503}
    assert beats[1] == plain(told)
    alive = earlier_attempts({"attempt": 4, "attempts": beats[0]})
    assert [one.number for one in alive] == [1, 2, 3]
    assert alive[2].failure is None


@pytest.mark.parametrize("details", [("x",), (None,), ([{"number": 0}],), ([7],)])
def test_heartbeats_of_another_version_are_left_out(details: tuple[object, ...]) -> None:
    assert in_activity(2, *details).run(lambda: AttemptLog().earlier) == ()


async def test_a_task_for_another_agent_fails_with_its_attempts(tmp_path: Path) -> None:
    wrong: AgentTask = task(TaskType.PULL)
    activities = AgentTaskActivities("another", tmp_path)
    with pytest.raises(ApplicationError) as caught:
        await in_activity(2, plain([FIRST])).run(activities.pull, wrong)
    detail = detail_of(caught.value)
    assert earlier_attempts(detail) == (FIRST,)
    assert isinstance(detail, dict)
    last = last_attempt(detail)
    assert last is not None
    assert last.failure is not None
    assert "belongs to agent" in last.failure.message
