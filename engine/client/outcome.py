"""How a promotion ended, read from its closed workflow."""

from __future__ import annotations

from uuid import UUID

from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError
from temporalio.exceptions import TimeoutError as WorkflowTimeoutError

from engine.client import contract
from engine.client.execution import Execution, attribute, parsed, request_of
from engine.client.translation import from_failure, translated
from engine.errors import PromotionEngineError
from engine.model.failure import Failure
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.model.search_attributes import PROMOTION_DECISION, TRACE_ID
from engine.model.verdict import Decision


class CutOffError(PromotionEngineError):
    """The promotion's workflow was terminated or timed out, so that it left no result.

    Attributes:
        failure: the same as data.
    """

    def __init__(self, promotion: UUID, kind: str, message: str) -> None:
        self.failure = Failure(type=kind, message=message)
        super().__init__(f"promotion {promotion}: {message}")


async def result_of(execution: Execution) -> PromotionResult:
    """Wait for the promotion's end and return its result, also when its work failed.

    Raises:
        InputError, NotFoundError: the request was refused.
        CutOffError: the workflow was terminated or timed out.
        UnreachableError: the server did not answer.
        PromotionEngineError: the promotion ended without a result that we can read.
    """
    promotion = execution.promotion_id
    with translated(f"wait for promotion {promotion}"):
        try:
            return parsed(PromotionResult, await execution.handle.result())
        except WorkflowFailureError as error:
            cause = error.cause
    match cause:
        case TerminatedError():
            reason = f"its workflow was terminated: {cause.message}"
            raise CutOffError(promotion, "TerminatedError", reason) from cause
        case WorkflowTimeoutError():
            raise CutOffError(
                promotion, "TimeoutError", "its workflow ran out of its time limit"
            ) from cause
        case CancelledError(details=[details, *_]):
            return parsed(PromotionResult, details)
        case ApplicationError(type=contract.FAILED, details=[details, *_]):
            return parsed(PromotionResult, details)
        case CancelledError():
            return await _cancelled(execution)
    raise from_failure(cause) from cause


async def _cancelled(execution: Execution) -> PromotionResult:
    """The result of a workflow that was cancelled before it could report one itself."""
    request = await request_of(execution)
    with translated("read the promotion's end"):
        description = await execution.handle.describe()
    decision = attribute(description, PROMOTION_DECISION)
    return PromotionResult(
        promotion_id=execution.promotion_id,
        status=PromotionStatus.CANCELLED,
        decision=Decision(decision) if decision else None,
        release=request.release,
        environment=request.environment,
        tenant=request.tenant,
        requested_by=request.requested_by,
        trace_id=attribute(description, TRACE_ID),
        started_at=description.start_time,
        ended_at=description.close_time or description.start_time,
    )
