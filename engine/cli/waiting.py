"""Wait for a promotion's end before the eyes of whoever waits."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from engine.cli.progress import Show
from engine.errors import PromotionEngineError, WaitTimeoutError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


async def wait_for_end(
    client: PromotionClient, ref: str | UUID, within: timedelta | None, show: Show
) -> PromotionState:
    """Show each state of the promotion, and return the final one.

    Raises:
        WaitTimeoutError: it has not ended `within` that time.
        PromotionEngineError: see `PromotionClient.watch`.
    """
    last: PromotionState | None = None
    try:
        async with (
            asyncio.timeout(within.total_seconds() if within else None),
            aclosing(client.watch(ref)) as states,
        ):
            async for last in states:
                show(last)
    except TimeoutError as error:
        stands = f"is {last.status.value}" if last else "has told nothing"
        identity = last.promotion_id if last else ref
        raise WaitTimeoutError(
            f"promotion {identity} {stands} after the time given to wait; it goes on, see: "
            f"promote watch {identity}"
        ) from error
    if last is None:
        raise PromotionEngineError(f"promotion {ref} has told nothing")
    return last
