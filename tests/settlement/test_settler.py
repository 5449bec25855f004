"""The worker's own settlement: what it holds is exported only when the history agrees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client, WorkflowHandle

from engine.model.promotion import PromotionStatus
from engine.model.trace import TracedRun
from engine.recorded import Recorded, recorded
from engine.settlement import LOOKS, Settler
from engine.telemetry.ended import EndedRun
from engine.telemetry.export import OtlpSink, sink_from_environment
from engine.telemetry.record import SpanRecord
from tests.harness.receiver import Receiver
from tests.harness.system import System, running_system, until

GATES = "[{type: approval, config: {required: 1, users: [bob]}}]"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    """A worker that exports nothing, so that only the settler of the test does."""
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply("environments:\n" + running.environment_yaml("staging", gates=GATES))
        yield running


@pytest.fixture
def sink(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpSink]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    found = sink_from_environment()
    assert found is not None
    yield found
    found.shutdown()


async def waiting(system: System) -> WorkflowHandle[Any, Any]:
    handle = await system.start(await system.release("1.0.0"), "staging")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    return handle


async def rejected(system: System) -> WorkflowHandle[Any, Any]:
    handle = await waiting(system)
    await handle.execute_update("reject", {"user": "bob"})
    await handle.result()
    return handle


async def ended(handle: WorkflowHandle[Any, Any]) -> EndedRun:
    """What a worker holds that has carried out the last task of the history."""
    started = [
        event
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_started_event_attributes")
    ]
    now = datetime.now(UTC)
    span = SpanRecord(
        trace_id=TRACE, span_id=SPAN, name="promotion.request", started_at=now, ended_at=now
    )
    run = TracedRun(trace_id=TRACE, workflow_id=handle.id, span_ids=(SPAN,))
    run_id = (await handle.describe()).run_id
    promotion = UUID(handle.id.removeprefix("promotion/"))
    return EndedRun(run, run_id, promotion, started[-1].event_id, (span,))


async def test_an_end_is_recorded_when_the_history_ends_with_this_process_s_task(
    system: System, temporal_address: str
) -> None:
    handle = await rejected(system)
    end = await ended(handle)
    assert await recorded(system.client, end) is Recorded.YES
    earlier = replace(end, last_task=end.last_task - 1)
    assert await recorded(system.client, earlier) is Recorded.NO
    other = await Client.connect(temporal_address, identity="1@elsewhere")
    assert await recorded(other, end) is Recorded.NO


async def test_no_end_is_recorded_of_what_goes_on_or_was_cut_off(system: System) -> None:
    handle = await waiting(system)
    end = await ended(handle)
    assert await recorded(system.client, end) is Recorded.OPEN
    await handle.terminate()
    assert await recorded(system.client, end) is Recorded.NO


async def test_the_last_spans_are_exported_and_the_run_is_told(
    system: System, sink: OtlpSink, receiver: Receiver
) -> None:
    end = await ended(await rejected(system))
    settler = Settler(system.store, sink, timedelta(milliseconds=20))
    async with settler.running(system.client):
        settler.run_ended(end)
        await until(lambda: len(receiver.spans) == 1, "the span that was held came")
    assert await system.store.traces.runs(TRACE) == (end.run,)
    assert receiver.spans[0].span_id == SPAN


async def test_of_two_ends_of_one_run_neither_is_exported(
    system: System, sink: OtlpSink, receiver: Receiver
) -> None:
    end = await ended(await rejected(system))
    settler = Settler(system.store, sink, timedelta(milliseconds=20))
    async with settler.running(system.client):
        settler.run_ended(end)
        settler.run_ended(end)
    sink.shutdown()
    assert receiver.spans == []
    assert await system.store.traces.runs(TRACE) == ()


async def test_a_run_that_does_not_end_is_given_up(
    system: System, sink: OtlpSink, receiver: Receiver
) -> None:
    handle = await waiting(system)
    end = await ended(handle)
    settler = Settler(system.store, sink, timedelta(milliseconds=1))
    settler.run_ended(end)
    async with settler.running(system.client):
        await until(lambda: settler.holds == 0, f"given up after {LOOKS} looks")
    sink.shutdown()
    assert receiver.spans == []
    await handle.terminate()


async def test_a_server_that_has_forgotten_the_run_stops_nothing(
    system: System, sink: OtlpSink, receiver: Receiver
) -> None:
    end = await ended(await rejected(system))
    lost = replace(end, run_id=str(uuid4()))
    settler = Settler(system.store, sink, timedelta(milliseconds=20))
    async with settler.running(system.client):
        settler.run_ended(lost)
        settler.run_ended(end)
        await until(lambda: len(receiver.spans) == 1, "the other run's span came all the same")
