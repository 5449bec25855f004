"""What a promotion that tries another again takes over from it."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.resumption import ResumptionActivities
    from engine.model.execution import StepResult
    from engine.model.promotion import PromotionSnapshot
    from workflows.options import SHORT


async def taken_over(promotion: PromotionSnapshot) -> tuple[StepResult, ...]:
    """The steps that need not run again; to be asked when nobody else is in the environment.

    Raises:
        FailureError: what was done does not hold any more, or cannot be read.
    """
    if promotion.retry is None:
        return ()
    found = await workflow.execute_local_activity_method(
        ResumptionActivities.take_over,
        promotion,
        summary=f"what promotion {promotion.retry.promotion} has done",
        **SHORT,
    )
    return found.steps
