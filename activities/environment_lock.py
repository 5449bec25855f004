"""Activities around the workflow `environment.lock`."""

from __future__ import annotations

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.runs import current_run
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

    The lock takes a second request with the same nonce for the first.
    """
    request = wanted.request.model_copy(update={"run_id": current_run()})
    await activity.client().start_workflow(
        LOCK_WORKFLOW,
        id=lock_workflow_id(wanted.tenant, wanted.environment),
        task_queue=TASK_QUEUE,
        start_signal="request",
        start_signal_args=[request],
        static_summary=f"who may deploy to {wanted.environment}",
    )


@activity.defn(name="environment.is_holder_alive")
async def is_holder_alive(holder: LockRequest) -> bool:
    """Whether the run that holds a lock still goes on."""
    handle = activity.client().get_workflow_handle(holder.workflow_id, run_id=holder.run_id)
    try:
        described = await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status is WorkflowExecutionStatus.RUNNING
