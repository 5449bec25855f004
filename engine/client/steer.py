"""Send an update to a running promotion."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from engine.client.execution import Execution, find, parsed
from engine.client.translation import cancellable, translated
from engine.client.workers import require_worker
from engine.errors import InputError, UnreachableError
from engine.model.promotion import PromotionState

_WORKER_WITHIN = timedelta(seconds=5)
_ANSWER_WITHIN = timedelta(seconds=30)


async def steer(
    client: Client, ref: str | UUID, update: str, argument: BaseModel
) -> PromotionState:
    """Send `update` to the promotion and return its state afterwards.

    Raises:
        InputError: the promotion has ended, or refuses the call.
        NotFoundError, UnreachableError, PromotionEngineError.
    """
    execution = await find(client, ref)
    if not execution.is_open:
        raise _ended(execution, update)
    await require_worker(client, _WORKER_WITHIN)
    with translated(f"{update} the promotion"):
        try:
            async with asyncio.timeout(_ANSWER_WITHIN.total_seconds()):
                with cancellable():
                    answer = await execution.handle.execute_update(
                        update, argument.model_dump(mode="json")
                    )
        except TimeoutError as error:
            raise UnreachableError(
                f"no worker confirmed {update!r} within {_ANSWER_WITHIN.total_seconds():.0f} s; "
                f"see whether it counts: promote status {execution.promotion_id}"
            ) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise _ended(execution, update) from error
            raise
    return parsed(PromotionState, answer)


def _ended(execution: Execution, update: str) -> InputError:
    return InputError(
        "promotion",
        f"{execution.promotion_id} has ended, so that it takes no {update!r} any more",
        f"see: promote status {execution.promotion_id}",
    )
