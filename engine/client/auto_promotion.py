"""What waits to be promoted by rule, and telling it that a hold was set or lifted."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from engine.client.execution import parsed
from engine.client.translation import translated
from engine.model.auto_promotion import AutoPromotionState, auto_promotion_workflow_id

_QUERY = "state"
_LOOK_AGAIN = "look_again"


async def waiting(client: Client, tenant: str, environment: str) -> AutoPromotionState | None:
    """What waits to be promoted to an environment by rule; None when nothing does.

    Raises:
        UnreachableError: the server, or a worker, did not answer.
        PromotionEngineError.
    """
    handle = client.get_workflow_handle(auto_promotion_workflow_id(tenant, environment))
    with translated("ask what waits to be promoted by rule"):
        try:
            # Of a workflow that has ended nobody need tell anything.
            if (await handle.describe()).close_time is not None:
                return None
            answer = await handle.query(_QUERY)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
    state = None if answer is None else parsed(AutoPromotionState, answer)
    return state if state is not None and state.candidate is not None else None


async def look_again(client: Client, tenant: str, environment: str) -> bool:
    """Have what waits considered again now; whether anything did.

    Raises:
        UnreachableError, PromotionEngineError.
    """
    handle = client.get_workflow_handle(auto_promotion_workflow_id(tenant, environment))
    with translated("tell what waits to be promoted by rule"):
        try:
            await handle.signal(_LOOK_AGAIN)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
    return True
