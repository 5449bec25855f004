"""Payloads that no client of ours would send never leave a workflow task failing for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
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

from engine.model.promotion import PromotionStatus
from tests.harness.system import System, running_system

APPROVAL = "[{type: approval, config: {required: 1, users: [bob]}}]"


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n" + running.environment_yaml("production", targets=1, gates=APPROVAL)
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


async def test_a_stranger_cannot_grant_the_lock_before_the_gates_allow(system: System) -> None:
    handle = await waiting(system)
    await handle.signal("lock_granted")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    await handle.terminate()
