"""Payloads that no client of ours would send never leave a workflow task failing for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from engine.gates.approval import ApprovalGate
from engine.gates.protocol import GateContext
from engine.model.lock import lock_workflow_id
from engine.model.promotion import PromotionResult, PromotionState, PromotionStatus
from tests.harness.system import System, running_system, with_agents
from tests.workflows.faults import child, stored

APPROVAL = "[{type: approval, config: {required: 1, users: [bob, carol]}}]"


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("production", targets=1, gates=APPROVAL)
            + running.environment_yaml("plain", targets=1)
        )
        yield running


def payload(data: bytes, encoding: bytes = b"json/plain") -> Payload:
    return Payload(metadata={"encoding": encoding}, data=data)


GOOD = b'{"release": "a@1", "environment": "production", "requested_by": "alice"}'


@pytest.mark.parametrize(
    "given",
    [
        [payload(GOOD), payload(b"{}")],
        [payload(b"null")],
        [payload(b"{not json")],
        [payload(b"\x00\xff", b"binary/plain")],
        [payload(b"", b"binary/null")],
        [payload(b"\x00", b"binary/encrypted")],
        [Payload(data=GOOD)],
    ],
    ids=["two", "null", "broken", "bytes", "nothing", "encrypted", "unlabelled"],
)
async def test_any_input_ends_the_workflow_with_a_message(
    system: System, given: list[Payload]
) -> None:
    workflow_id = f"promotion/{uuid4()}"
    await system.client.workflow_service.start_workflow_execution(
        StartWorkflowExecutionRequest(
            namespace=system.client.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="promotion.request"),
            task_queue=TaskQueue(name="promotions"),
            input=Payloads(payloads=given),
            request_id=str(uuid4()),
        )
    )
    handle = system.client.get_workflow_handle(workflow_id)
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.non_retryable


async def status(handle: WorkflowHandle[Any, Any]) -> PromotionState:
    return PromotionState.model_validate(await handle.query("status"))


async def waiting(system: System) -> WorkflowHandle[Any, Any]:
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    return handle


@pytest.mark.parametrize("signal", ["step_progress", "deployment_progress", "nonsense"])
async def test_junk_signals_change_nothing(system: System, signal: str) -> None:
    handle = await waiting(system)
    for junk in ([payload(b"7")], [payload(b"{broken")], [], [payload(b"{}"), payload(b"{}")]):
        await system.client.workflow_service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace=system.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=handle.id),
                signal_name=signal,
                input=Payloads(payloads=junk),
            )
        )
    state = await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    assert state.steps == ()
    await handle.terminate()


@pytest.mark.parametrize("update", ["approve", "reject", "cancel"])
@pytest.mark.parametrize(
    "given", [[], [None], [7], [["bob"]], [{"user": ""}], [{"user": "bob"}, {"user": "bob"}]]
)
async def test_junk_updates_are_refused(system: System, update: str, given: list[Any]) -> None:
    handle = await waiting(system)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(update, args=given)
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    await handle.terminate()


@pytest.mark.parametrize(
    ("signal", "junk"),
    [
        ("step_progress", {"node_id": "ghost", "type": "deploy", "status": "waiting"}),
        (
            "deployment_progress",
            {"node_id": "ghost", "batch": 1, "batches": 2, "targets_done": 0, "targets": 9},
        ),
    ],
)
async def test_word_of_a_step_that_is_none_changes_nothing(
    system: System, signal: str, junk: dict[str, Any]
) -> None:
    handle = await system.start(await system.release("1.0.0"), "plain")
    before = await system.until_status(handle.id, PromotionStatus.RUNNING)
    await handle.signal(signal, junk)
    after = await system.until_status(handle.id, PromotionStatus.RUNNING)
    nodes = {"security-check", "approval", "deploy"}
    assert {step.node_id for step in after.steps} == {step.node_id for step in before.steps}
    assert {step.node_id for step in after.steps} == nodes
    assert "ghost" not in after.progress
    await handle.execute_update("cancel", {"user": "bob"})
    await handle.result()


@pytest.mark.parametrize(
    "kind",
    ["workflow.execute", "deployment.execute", "environment.lock", "trace.settle", "trace.sweep"],
)
async def test_an_inner_workflow_that_a_stranger_starts_with_junk_fails_with_a_message(
    system: System, kind: str
) -> None:
    junk: list[list[Payload]] = [
        [payload(b"7")],
        [payload(b'{"holder": 7, "x": 1}')],
        [payload(b"{not json")],
        [payload(b"{}"), payload(b"{}")],
    ]
    # A lock without an input is one that nobody holds yet.
    junk += [] if kind == "environment.lock" else [[], [payload(b"null")]]
    for given in junk:
        workflow_id = f"junk/{uuid4()}"
        await system.client.workflow_service.start_workflow_execution(
            StartWorkflowExecutionRequest(
                namespace=system.client.namespace,
                workflow_id=workflow_id,
                workflow_type=WorkflowType(name=kind),
                task_queue=TaskQueue(name="promotions"),
                input=Payloads(payloads=given),
                request_id=str(uuid4()),
            )
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await system.client.get_workflow_handle(workflow_id).result()
        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == "InputError"
        assert caught.value.cause.message


@pytest.mark.parametrize("signal", ["request", "release"])
async def test_junk_signals_stop_no_lock(system: System, signal: str) -> None:
    first = await system.start(await system.release("1.0.0"), "plain")
    await system.until_status(first.id, PromotionStatus.RUNNING)
    lock = system.client.get_workflow_handle(lock_workflow_id(system.tenant, "plain"))
    for junk in ([], [{"x": 1}], [None], ["a", "b"]):
        await lock.signal(signal, args=junk)
    second = await system.start(await system.release("1.1.0"), "plain")
    async with with_agents(system, "plain-t1"):
        for handle in (first, second):
            assert (await handle.result())["status"] == "succeeded"


async def test_a_rejection_is_refused_once_nothing_asks_for_votes(system: System) -> None:
    handle = await waiting(system)
    await handle.execute_update("approve", {"user": "bob"})
    await child(system, handle, "deployment/deploy")
    while "running" not in {step.status for step in (await status(handle)).steps}:
        await asyncio.sleep(0.05)
    before = len((await handle.fetch_history()).events)
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("reject", {"user": "carol", "comment": "stop this"})
    assert "nothing in it asks for votes any more" in str(caught.value.cause)
    assert f"promote cancel {handle.id.removeprefix('promotion/')}" in str(caught.value.cause)
    assert len((await handle.fetch_history()).events) == before
    await handle.execute_update("cancel", {"user": "carol"})
    result = PromotionResult.model_validate(await handle.result())
    assert [vote.user for vote in (await stored(system, handle)).votes] == ["bob"]
    assert result.status is PromotionStatus.CANCELLED


async def test_a_rejection_while_a_gate_decides_on_an_approval_counts(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, asked = ApprovalGate.evaluate, asyncio.Event()

    async def slowly(self: ApprovalGate, context: GateContext, read: Any) -> Any:
        verdict = await original(self, context, read)
        if context.votes and not asked.is_set():
            asked.set()
            await asyncio.sleep(2)
        return verdict

    monkeypatch.setattr(ApprovalGate, "evaluate", slowly)
    handle = await system.client.start_workflow(
        "promotion.request",
        {
            "release": await system.release("1.0.0"),
            "environment": "production",
            "tenant": system.tenant,
            "requested_by": "alice",
        },
        id=f"promotion/{uuid4()}",
        task_queue="promotions",
        task_timeout=timedelta(seconds=1),
    )
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    approval = asyncio.create_task(handle.execute_update("approve", {"user": "bob"}))
    await asked.wait()
    await handle.execute_update("reject", {"user": "carol"})
    await approval
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.REJECTED


async def test_a_stranger_cannot_grant_the_lock_before_the_gates_allow(system: System) -> None:
    handle = await waiting(system)
    await handle.signal("lock_granted", str(uuid4()))
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    await handle.terminate()
