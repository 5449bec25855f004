"""Start a promotion."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, TemporalError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from engine.client.contract import UPDATE_ACCEPTED, WORKFLOW_TYPE, workflow_id
from engine.client.execution import find, parsed
from engine.client.state import state_of
from engine.client.translation import cancellable, translated
from engine.client.workers import require_worker
from engine.config import TASK_QUEUE
from engine.errors import ConflictError, PromotionEngineError, UnreachableError
from engine.model.promotion import PromotionRequest, PromotionState

_WORKER_WITHIN = timedelta(seconds=5)
_ACCEPTED_WITHIN = timedelta(seconds=30)


async def start(client: Client, request: PromotionRequest, promotion: UUID) -> PromotionState:
    """Start the promotion, unless it runs already, and wait until its request was resolved.

    Raises:
        InputError, NotFoundError: the request is wrong.
        ConflictError: the id names a promotion with another request.
        UnreachableError: no worker took it up in time, or the server did not answer.
        PromotionEngineError.
    """
    await require_worker(client, _WORKER_WITHIN)
    operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        WORKFLOW_TYPE,
        request.model_dump(mode="json"),
        id=workflow_id(promotion),
        task_queue=TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        static_summary=f"{request.release} to {request.environment} ({request.tenant})",
    )
    with translated("start the promotion"):
        try:
            async with asyncio.timeout(_ACCEPTED_WITHIN.total_seconds()):
                with cancellable():
                    answer = await client.execute_update_with_start_workflow(
                        UPDATE_ACCEPTED, start_workflow_operation=operation
                    )
            state = parsed(PromotionState, answer)
        except TimeoutError as error:
            await _take_note(operation)
            raise await _not_taken_up(client, promotion) from error
        except (WorkflowAlreadyStartedError, WorkflowUpdateFailedError, RPCError) as error:
            await _take_note(operation)
            if isinstance(error, RPCError) and error.status is RPCStatusCode.FAILED_PRECONDITION:
                raise await _not_taken_up(client, promotion) from error
            if not _has_ended(error):
                raise
            state = await state_of(await find(client, promotion))
    _same_request(request, state)
    return state


async def _take_note(operation: WithStartWorkflowOperation[Any, Any]) -> None:
    """Retrieve the error that the operation holds too, or asyncio complains of it later."""
    with suppress(TemporalError, TimeoutError):
        async with asyncio.timeout(1):
            await operation.workflow_handle()


def _has_ended(error: Exception) -> bool:
    """Whether the workflow closed before the update could be answered."""
    if isinstance(error, WorkflowUpdateFailedError):
        cause = error.cause
        return isinstance(cause, ApplicationError) and cause.type in _ENDED_WITHOUT_ANSWER
    if isinstance(error, RPCError):
        return error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.ALREADY_EXISTS)
    return True


_ENDED_WITHOUT_ANSWER = frozenset({"AcceptedUpdateCompletedWorkflow", "AbortedByServer"})


def _same_request(request: PromotionRequest, state: PromotionState) -> None:
    same = (
        request.release in (state.release, str(state.release_id))
        and request.environment == state.environment
        and request.tenant == state.tenant
    )
    if not same:
        raise ConflictError(
            "promotion_id",
            f"{state.promotion_id} already promotes {state.release} to {state.environment}",
            "start with another id",
        )


async def _not_taken_up(client: Client, promotion: UUID) -> PromotionEngineError:
    """Why a started promotion was not resolved in time, as far as its history tells."""
    seconds = f"{_ACCEPTED_WITHIN.total_seconds():.0f} s"
    execution = await find(client, promotion)
    failed = None
    async for event in execution.handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            failed = event.workflow_task_failed_event_attributes
    if failed is None:
        return UnreachableError(
            f"promotion {promotion} is started, but no worker has taken it up within {seconds}; "
            f"it goes on when one does: promote status {promotion}"
        )
    cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
    if failed.cause == cause:
        return PromotionEngineError(
            f"promotion {promotion} waits: the namespace lacks our search attributes; "
            "run: promote server init"
        )
    return PromotionEngineError(
        f"promotion {promotion} is started, but the worker cannot carry it on: "
        f"{failed.failure.message}"
    )
