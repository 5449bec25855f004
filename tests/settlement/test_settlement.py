"""Whatever becomes of a promotion, its sampled trace is whole at the collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError

from activities.trace import Settlement
from engine.model.promotion import PromotionStatus
from engine.projection import project
from engine.sweep import SCHEDULE_ID
from tests.conformance.checker import deviations
from tests.harness.receiver import Receiver, grpc_receiver
from tests.harness.system import (
    PATIENCE,
    System,
    running_system,
    trivy_report,
    with_agents,
)

APPROVAL = "[{type: security}, {type: approval, config: {required: 1, users: [bob]}}]"


@pytest.fixture
async def system(
    receiver: Receiver, tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(
        tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("staging", targets=1)
            + running.environment_yaml(
                "production", targets=1, gates=APPROVAL, more="    sampling: 1.0\n"
            )
            + running.environment_yaml("dark", targets=1, more="    sampling: 0.0\n")
            + running.environment_yaml(
                "curious",
                targets=1,
                gates=APPROVAL,
                more="    sampling: 0.0\n    keep_traces: [denied]\n",
            )
        )
        yield running


async def settled(system: System, workflow_id: str) -> Settlement:
    handle = system.client.get_workflow_handle(f"{workflow_id}/trace")
    return Settlement.model_validate(await handle.result())


async def is_swept(system: System, workflow_id: str) -> bool:
    """Whether a workflow settles the trace, or has done so."""
    query = f"WorkflowId = '{workflow_id}/trace'"
    return bool([one async for one in system.client.list_workflows(query)])


async def test_a_finished_promotion_is_settled_by_its_worker_without_a_workflow(
    system: System, receiver: Receiver
) -> None:
    release = await system.release("1.0.0")
    async with with_agents(system, "staging-t1"):
        handle = await system.start(release, "staging")
        trace_id = (await handle.result())["trace_id"]
    await system.until_settled(handle.id)
    spans = receiver.of(trace_id)
    assert deviations(spans) == []
    told = (await project(system.client, handle.id)).spans
    assert sorted(span.span_id for span in spans) == sorted(span.span_id for span in told)
    assert await system.store.receipts.of(trace_id) == frozenset()
    assert await system.store.traces.runs(trace_id) == ()
    assert not await is_swept(system, handle.id)


async def test_a_terminated_promotion_is_swept_and_whole(
    system: System, receiver: Receiver
) -> None:
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    await handle.terminate(reason="the operator's hand slipped")

    for _ in range(int(PATIENCE)):
        await system.client.get_schedule_handle(SCHEDULE_ID).trigger()
        if await is_swept(system, handle.id):
            break
        await asyncio.sleep(1)
    settlement = await settled(system, handle.id)
    spans = receiver.of(settlement.trace_id)
    assert deviations(spans) == []
    root = next(span for span in spans if span.name == "promotion.request")
    assert root.attributes["error.type"] == "WorkflowTerminatedError"
    assert "hand slipped" in root.status_message


async def test_an_unsampled_promotion_is_exported_whole_exactly_when_it_fails(
    system: System, receiver: Receiver
) -> None:
    good = await system.release("1.0.0")
    lost = await system.release("1.1.0", lost=True)
    async with with_agents(system, "dark-t1"):
        succeeded = await system.start(good, "dark")
        quiet = (await succeeded.result())["trace_id"]
        failing = await system.start(lost, "dark")
        with pytest.raises(WorkflowFailureError):
            await failing.result()
    settlement = await settled(system, failing.id)
    assert settlement.kept_for == "error"
    spans = receiver.of(settlement.trace_id)
    assert deviations(spans) == []
    root = next(span for span in spans if span.name == "promotion.request")
    assert root.attributes["sampling.kept_for"] == "error"
    assert receiver.of(quiet) == []


async def test_a_denial_is_kept_where_the_environment_says_so(
    system: System, receiver: Receiver
) -> None:
    release = await system.release("1.0.0", trivy_report(critical=1))
    handle = await system.start(release, "curious")
    await handle.result()
    settlement = await settled(system, handle.id)
    assert settlement.kept_for == "denied"
    assert deviations(receiver.of(settlement.trace_id)) == []


async def test_a_collector_that_is_down_gets_everything_when_it_is_back(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with grpc_receiver() as first:
        endpoint = first.endpoint
    # The receiver is gone now, and its port refuses connections.
    async with running_system(tmp_path, temporal_address, monkeypatch, endpoint=endpoint) as system:
        await system.apply("environments:\n" + system.environment_yaml("staging", targets=1))
        async with with_agents(system, "staging-t1"):
            handle = await system.start(await system.release("1.0.0"), "staging")
            trace_id = (await handle.result())["trace_id"]
        with grpc_receiver(port=int(endpoint.rpartition(":")[2])) as receiver:
            await system.until_settled(handle.id)
            assert deviations(receiver.of(trace_id)) == []


async def test_the_projection_of_a_terminated_promotion_has_ended(system: System) -> None:
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    open_spans = (await project(system.client, handle.id)).spans
    assert any(span.ended_at is None for span in open_spans)
    await handle.terminate()
    closed = (await project(system.client, handle.id)).spans
    assert {span.span_id for span in closed} == {span.span_id for span in open_spans}
    assert all(span.ended_at is not None for span in closed)
