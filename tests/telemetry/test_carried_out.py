"""Spans of real promotions on a real worker: through evictions, changes of worker, and replays."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer, Worker

from engine.client.workers import require_worker
from engine.converter import DATA_CONVERTER
from engine.model import identity
from engine.model.promotion import PromotionResult, PromotionState, PromotionStatus
from engine.projection import histories, project
from engine.telemetry import ids, verification
from engine.telemetry.interceptor import TracingInterceptor
from engine.telemetry.record import SpanRecord
from engine.telemetry.sink import CollectingSink
from engine.worker import running_worker
from tests.conformance.checker import deviations
from tests.harness.content import contents
from tests.harness.receiver import Received, Receiver
from tests.harness.system import PATIENCE, System, prepared_system, until, with_agents
from workflows.registry import WORKFLOW_INTERCEPTORS, WORKFLOWS, workflow_runner

GATES = "[{type: security}, {type: approval, config: {required: 1, users: [bob]}}]"


@pytest.fixture
async def system(
    receiver: Receiver,
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[System]:
    """A system without a worker; its exporter is the receiver."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as prepared:
        await prepared.apply(
            "environments:\n"
            + prepared.environment_yaml(
                "production", targets=1, gates=GATES, more="    sampling: 1.0\n"
            )
            + prepared.environment_yaml("dark", targets=1, more="    sampling: 0.0\n")
        )
        yield prepared


async def approve(system: System, handle: WorkflowHandle[Any, Any]) -> None:
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    await handle.execute_update("approve", {"user": "bob"})


def trace_of(handle: WorkflowHandle[Any, Any]) -> str:
    return ids.trace_id(UUID(handle.id.removeprefix("promotion/")))


def nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


@dataclass(frozen=True)
class Bounds:
    """The nanoseconds between which a span starts, and between which it ends."""

    start: tuple[int, int]
    end: tuple[int, int]

    def hold(self, span: Received) -> bool:
        # A span has whole microseconds, an event has nanoseconds.
        return all(
            low - 1000 <= moment <= high + 1000
            for (low, high), moment in ((self.start, span.start), (self.end, span.end))
        )


def by_history(parts: list[WorkflowHistory]) -> dict[str, Bounds]:
    """What the events alone, without a replay, tell of the times of spans, by name.

    A workflow lasts from its first event to its last task. A task of an agent lasts from the
    workflow task that scheduled it to the time that the agent reports. Within a workflow task time
    goes on with each local activity.
    """
    found: dict[str, Bounds] = {}
    for part in parts:
        events = {event.event_id: event for event in part.events}
        *_, last = (event for event in part.events if event.HasField(TASK_COMPLETED))
        first = events[1].event_time.ToNanoseconds()
        name = events[1].workflow_execution_started_event_attributes.workflow_type.name
        found[name] = Bounds((first, first), _task(events, last.event_id))
        for event in part.events:
            if event.HasField("activity_task_completed_event_attributes"):
                completed = event.activity_task_completed_event_attributes
                scheduled = events[
                    completed.scheduled_event_id
                ].activity_task_scheduled_event_attributes
                report = json.loads(completed.result.payloads[0].data)
                end = nanoseconds(datetime.fromisoformat(report["ended_at"]))
                found[scheduled.activity_type.name] = Bounds(
                    _task(events, scheduled.workflow_task_completed_event_id), (end, end)
                )
    return found


TASK_COMPLETED: Final = "workflow_task_completed_event_attributes"
UPDATE_ACCEPTED: Final = "workflow_execution_update_accepted_event_attributes"


def _task(events: dict[int, HistoryEvent], completed_id: int) -> tuple[int, int]:
    completed = events[completed_id]
    started = events[completed.workflow_task_completed_event_attributes.started_event_id]
    return started.event_time.ToNanoseconds(), completed.event_time.ToNanoseconds()


def assert_whole(spans: list[Received], told: tuple[SpanRecord, ...]) -> None:
    assert set(Counter(span.span_id for span in spans).values()) == {1}
    assert contents(spans) == contents(told)
    assert deviations(spans) == []


@pytest.mark.parametrize("cached", [1000, 0], ids=["cached", "evicted after each task"])
async def test_evictions_change_neither_spans_nor_times(
    system: System, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, cached: int
) -> None:
    monkeypatch.setattr("engine.worker.Worker", partial(Worker, max_cached_workflows=cached))
    release = await system.release("1.0.0")
    async with running_worker(system.settings), with_agents(system, "production-t1", "dark-t1"):
        unsampled = await system.start(release, "dark")
        handle = await system.start(release, "production")
        await approve(system, handle)
        result = PromotionResult.model_validate(await handle.result())
        await unsampled.result()
        await system.until_settled(handle.id)
        # A query on a closed workflow has the worker replay all of it.
        state = await handle.query("status", result_type=PromotionState)
        assert state.status is PromotionStatus.SUCCEEDED

    # The worker is gone, and has exported whatever it had.
    spans = receiver.of(result.trace_id)
    told = await project(system.client, handle.id)
    assert_whole(spans, told.spans)
    bounds = by_history([part async for part in histories(system.client, handle.id)])
    assert len(bounds) == 6
    timed = {span.name: span for span in spans if span.name in bounds}
    assert {name: timed[name] for name in bounds if not bounds[name].hold(timed[name])} == {}

    assert receiver.of(trace_of(unsampled)) == []
    dark = await project(system.client, unsampled.id)
    assert (dark.sampled, dark.kept_for) == (False, "")
    assert verification.deviations(dark.spans) == []
    names = {span.name for span in told.spans if not span.name.startswith("gate.")}
    assert {span.name for span in dark.spans} == names


async def test_anyone_can_recompute_the_ids(system: System, receiver: Receiver) -> None:
    release = await system.release("1.0.0")
    async with running_worker(system.settings), with_agents(system, "production-t1"):
        handle = await system.start(release, "production")
        await approve(system, handle)
        await handle.result()
        await system.until_settled(handle.id)
    trace = trace_of(handle)
    keys = {
        "promotion": "promotion.id", "gate": "gate.name", "workflow.execute": "workflow.run_id",
        "workflow.step": "step.run_id", "deployment": "deployment.job_id", "agent": "task.id",
        "evidence": "evidence.id",
    }  # fmt: skip
    spans = receiver.of(trace)
    for span in spans:
        (key,) = [key for prefix, key in keys.items() if f"{span.name}.".startswith(f"{prefix}.")]
        work = str(span.attributes[key])
        if key == "gate.name":
            work = identity.gate_key(UUID(handle.id.removeprefix("promotion/")), work)
        assert span.span_id == ids.span_id(trace, span.name, work)
    assert len(spans) == 15


async def test_workers_in_turn_give_every_span_once(system: System, receiver: Receiver) -> None:
    handle = await system.start(await system.release("1.0.0"), "production")
    trace = trace_of(handle)

    def names() -> list[str]:
        return [span.name for span in receiver.of(trace)]

    async with running_worker(system.settings):
        await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    assert "gate.approval" not in names()

    async with running_worker(system.settings):
        await approve(system, handle)
        # There is no agent as yet, so that the deployment waits while the gates are done.
        await until(lambda: "gate.approval" in names(), "the gates' spans came while it runs")
    assert "promotion.request" not in names()
    early = names()

    async with running_worker(system.settings), with_agents(system, "production-t1"):
        await handle.result()
        await system.until_settled(handle.id)
    assert Counter(early) <= Counter(names())
    assert_whole(receiver.of(trace), (await project(system.client, handle.id)).spans)


STARTING = timedelta(seconds=PATIENCE)
RESTARTS = 5
PAUSE = 0.3
"""Seconds without a worker, between two of them."""


@pytest.mark.parametrize("cached", [1000, 0], ids=["cached", "evicted after each task"])
async def test_a_long_wait_across_restarts_has_its_exact_length(
    system: System, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, cached: int
) -> None:
    monkeypatch.setattr("engine.worker.Worker", partial(Worker, max_cached_workflows=cached))
    handle = await system.start(await system.release("1.0.0"), "production")
    for _ in range(RESTARTS):
        async with running_worker(system.settings):
            await require_worker(system.client, STARTING)
            await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
        await asyncio.sleep(PAUSE)
    async with running_worker(system.settings), with_agents(system, "production-t1"):
        await require_worker(system.client, STARTING)
        await approve(system, handle)
        await handle.result()
        await system.until_settled(handle.id)

    spans = receiver.of(trace_of(handle))
    assert_whole(spans, (await project(system.client, handle.id)).spans)
    parts = [part async for part in histories(system.client, handle.id)]
    (root,) = (span for span in spans if span.name == "promotion.request")
    assert by_history(parts)["promotion.request"].hold(root)
    (approval,) = (span for span in spans if span.name == "gate.approval")
    assert around_the_vote(parts[0]).hold(approval)
    length = (approval.end - approval.start) / 1e9
    assert approval.attributes["approval.wait_seconds"] == length
    assert RESTARTS * PAUSE < length < (root.end - root.start) / 1e9


def around_the_vote(promotion: WorkflowHistory) -> Bounds:
    """From the workflow task in which a gate was first asked to the one that took the vote.

    On a busy machine that is not the first task, since local activities that take long are spread
    over several.
    """
    events = {event.event_id: event for event in promotion.events}
    completed = [id_ for id_, event in events.items() if event.HasField(TASK_COMPLETED)]
    (vote,) = (id_ for id_, event in events.items() if event.HasField(UPDATE_ACCEPTED))
    asked = next(
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in promotion.events
        if b'"gate.evaluate"' in event.marker_recorded_event_attributes.SerializeToString()
    )
    first, _ = _task(events, completed[0])
    _, last = _task(events, asked)
    return Bounds((first, last), _task(events, max(id_ for id_ in completed if id_ < vote)))


HISTORIES = sorted((Path(__file__).parents[1] / "replay" / "histories").glob("*/*/*.json"))


def recorded(path: Path) -> WorkflowHistory:
    loaded = json.loads(path.read_text())
    return WorkflowHistory.from_json(loaded["workflow_id"], loaded["history"])


async def replay(sink: CollectingSink, *, replayed: bool) -> list[SpanRecord]:
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=DATA_CONVERTER,
        interceptors=[TracingInterceptor(sink, replayed=replayed), *WORKFLOW_INTERCEPTORS],
        workflow_runner=workflow_runner(),
    )
    for path in HISTORIES:
        await replayer.replay_workflow(recorded(path))
    return sink.spans


async def test_replaying_emits_nothing_unless_it_is_asked_to() -> None:
    assert await replay(CollectingSink(), replayed=False) == []
    told = await replay(CollectingSink(), replayed=True)
    assert {span.name for span in told} > {"promotion.request", "agent.task.deploy"}
    assert all(span.ended_at is not None for span in told)
