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
        sweep,
    )
    from workflows.options import SHORT

ATTEMPT = timedelta(minutes=5)
"""How long one attempt to deliver may take."""

# A collector that is away for a day gets its spans when it is back, however often it takes.
UNTIL_DELIVERED = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5)
)


@workflow.defn(name="trace.settle")
class SettlementWorkflow:
    """Settles the trace of one promotion that has ended, in whatever way."""

    @workflow.run
    async def run(self, request: SettleRequest) -> Settlement:
        """Wait for what is on its way, then deliver what is missing."""
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


@workflow.defn(name="trace.sweep")
class SweepWorkflow:
    """Looks for promotions that were terminated or timed out, and has their traces settled.

    Such a promotion runs no code any more, so that it cannot leave its settlement behind.
    """

    @workflow.run
    async def run(self, request: SweepRequest) -> int:
        """Start the settlements that are lacking, and return how many there were."""
        return await workflow.execute_activity(
            sweep,
            request,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=timedelta(seconds=30),
            schedule_to_close_timeout=timedelta(minutes=10),
        )


async def leave_behind(request: SettleRequest) -> None:
    """Start the settlement of a promotion that is about to end, and that does not wait for it.

    A promotion that was reset is settled again. Whatever comes of it, the result stands.
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
        workflow.logger.warning("no settlement was left behind: %s", error)
