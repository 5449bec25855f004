"""Have a promotion tried again from one of its steps on, in flight or after its end."""

from __future__ import annotations

from uuid import UUID, uuid4

from temporalio.client import Client

from engine.client.contract import UPDATE_RETRY
from engine.client.execution import find, request_of
from engine.client.start import start
from engine.client.steer import steer
from engine.model.operation import StepActionInput
from engine.model.promotion import PromotionState, RetryOf


async def retry(client: Client, ref: str | UUID, action: StepActionInput) -> PromotionState:
    """Have a halted step tried again; of a promotion that has ended, start another that goes on.

    Raises:
        InputError, ConflictError: it cannot be tried again; the message says why.
        NotFoundError, UnreachableError, PromotionEngineError.
    """
    execution = await find(client, ref)
    if execution.is_open:
        return await steer(client, ref, UPDATE_RETRY, action)
    request = await request_of(execution)
    again = request.model_copy(
        update={
            "requested_by": action.user,
            "reason": action.reason or request.reason,
            # Whoever passed over a gate did so for that promotion.
            "overrides": {},
            "retry": RetryOf(promotion=execution.promotion_id, node=action.node),
        }
    )
    return await start(client, again, uuid4())
