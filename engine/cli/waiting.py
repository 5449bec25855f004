"""Wait for a promotion's end before the eyes of whoever waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from engine.cli.progress import Show
from engine.errors import PromotionEngineError, WaitTimeoutError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


LOOK_EVERY = timedelta(seconds=5)
"""How often lock, agents and workers are asked for: nothing in the promotion tells of them."""


async def wait_for_end(
    client: PromotionClient, ref: str | UUID, within: timedelta | None, show: Show
) -> PromotionState:
    """Show each state of the promotion with all that it waits for, and return the final one.

    Raises:
        WaitTimeoutError: it has not ended `within` that time.
        PromotionEngineError: see `PromotionClient.watch`.
    """
    last: PromotionState | None = None
    try:
        async with (
            asyncio.timeout(within.total_seconds() if within else None),
            aclosing(client.watch(ref)) as states,
            _looking(client, show) as looks,
        ):
            async for last in states:
                await looks.at(last)
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


@asynccontextmanager
async def _looking(client: PromotionClient, show: Show) -> AsyncIterator[_Looks]:
    looks = _Looks(client, show)
    again = asyncio.create_task(looks.again())
    try:
        yield looks
    finally:
        again.cancel()
        with suppress(asyncio.CancelledError):
            await again


class _Looks:
    """Shows states with what stands in their way, which may change while they do not."""

    def __init__(self, client: PromotionClient, show: Show) -> None:
        self._client = client
        self._show = show
        self._last: PromotionState | None = None
        self._shown: PromotionState | None = None

    async def at(self, state: PromotionState) -> None:
        """Show a new state."""
        self._last = state
        await self._look(state)

    async def again(self) -> None:
        """Look at the last state from time to time, and show it when something else stands by."""
        while True:
            await asyncio.sleep(LOOK_EVERY.total_seconds())
            if self._last is not None and not self._last.status.is_final:
                await self._look(self._last)

    async def _look(self, state: PromotionState) -> None:
        try:
            found = await self._client.with_obstacles(state)
        except PromotionEngineError:
            # The state is still worth showing; whoever does not answer now may do so next time.
            found = state
        if self._last is state and found != self._shown:
            self._shown = found
            self._show(found)
