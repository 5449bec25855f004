"""Activities around the workflow `environment.lock`."""

from __future__ import annotations

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from engine.config import TASK_QUEUE
from engine.model.base import Value
from engine.model.lock import LockRequest, lock_workflow_id

LOCK_WORKFLOW = "environment.lock"


class LockEnvironment(Value):
    """Which environment a promotion wants to deploy to."""

    tenant: str
    environment: str
    request: LockRequest


@activity.defn(name="environment.request_lock")
async def request_lock(wanted: LockEnvironment) -> None:
    """Queue a promotion at its environment's lock, and start the lock if it does not run.

    The lock takes a second request of the same promotion for the first.
    """
    await activity.client().start_workflow(
        LOCK_WORKFLOW,
        id=lock_workflow_id(wanted.tenant, wanted.environment),
        task_queue=TASK_QUEUE,
        start_signal="request",
        start_signal_args=[wanted.request],
        static_summary=f"who may deploy to {wanted.environment}",
    )


@activity.defn(name="environment.is_holder_alive")
async def is_holder_alive(workflow_id: str) -> bool:
    """Whether the workflow that holds a lock still runs."""
    try:
        described = await activity.client().get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status is WorkflowExecutionStatus.RUNNING
