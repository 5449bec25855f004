"""`trace.settle`: brings to the collector what it lacks of a promotion's trace."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.trace import (
        Settlement,
        SettleRequest,
        SweepRequest,
        TraceActivities,
        settlement_id,
    )
    from engine.converter import Undecodable
    from workflows.failures import parse
    from workflows.logs import workflow_logger
    from workflows.options import SHORT

_log = workflow_logger(__name__)

ATTEMPT = timedelta(minutes=5)
"""How long one attempt to deliver may take."""

# A collector that is away for a day gets its spans when it is back, however often it takes.
UNTIL_DELIVERED = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5)
)


# Neither of the two does more than wait and call activities. The sandbox would cost more than they.
@workflow.defn(name="trace.settle", sandboxed=False)
class SettlementWorkflow:
    """Settles the trace of one promotion that has ended, in whatever way."""

    @workflow.run
    async def run(self, given: SettleRequest | Undecodable | None = None) -> Settlement:
        """Wait for what is on its way, then deliver what is missing.

        Raises:
            ApplicationError: of type `InputError` when the input is none.
        """
        request = parse(SettleRequest, given, "the input of trace.settle")
        await workflow.sleep(request.after)
        settled = await workflow.execute_activity_method(
            TraceActivities.deliver,
            request,
            start_to_close_timeout=ATTEMPT,
            retry_policy=UNTIL_DELIVERED,
            summary="deliver the missing spans",
        )
        if settled.span_ids:
            await workflow.execute_local_activity_method(TraceActivities.forget, settled, **SHORT)
        return settled.model_copy(update={"span_ids": ()})


@workflow.defn(name="trace.sweep", sandboxed=False)
class SweepWorkflow:
    """Looks for ended promotions whose traces nobody has settled, and has them settled."""

    @workflow.run
    async def run(self, given: SweepRequest | Undecodable | None = None) -> int:
        """Start the settlements that are lacking, and return how many there were.

        Raises:
            ApplicationError: of type `InputError` when the input is none.
        """
        request = parse(SweepRequest, given, "the input of trace.sweep")
        return await workflow.execute_activity_method(
            TraceActivities.sweep,
            request,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=timedelta(seconds=30),
            schedule_to_close_timeout=timedelta(minutes=10),
        )


async def leave_behind(request: SettleRequest) -> None:
    """Start the settlement of a promotion that is about to end, and that does not wait for it.

    For a trace that no worker has exported so far, since it is kept without being sampled, and for
    a promotion whose end could not be stored. A promotion that was reset is settled again. Whatever
    comes of it, the result stands.
    """
    try:
        await workflow.start_child_workflow(
            SettlementWorkflow.run,
            request,
            id=settlement_id(request.promotion_id),
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary="settle the trace",
        )
    except (WorkflowAlreadyStartedError, FailureError) as error:
        _log.warning("no settlement was left behind: %s", error)
