"""Tell promotions under way that freezes have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from engine.client.contract import SIGNAL_FREEZES_CHANGED
from engine.client.translation import translated

_AT_ONCE = 20


async def tell(client: Client, workflow_ids: Sequence[str]) -> int:
    """Signal these promotions; how many were there to be told.

    Raises:
        UnreachableError, PromotionEngineError.
    """
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(workflow_id: str) -> bool:
        async with free:
            try:
                await client.get_workflow_handle(workflow_id).signal(SIGNAL_FREEZES_CHANGED)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return False
                raise
        return True

    with translated("tell the promotions of the freeze"):
        told = await asyncio.gather(*(one(each) for each in workflow_ids))
    return sum(told)
