"""Telling whoever waits for a long call that it is still under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

SECONDS = 5.0
"""Between two beats."""


@asynccontextmanager
async def beating(heartbeat: Callable[[], None]) -> AsyncIterator[None]:
    """Call `heartbeat` now, and every few seconds while the block runs."""
    heartbeat()
    task = asyncio.create_task(_beat(heartbeat))
    try:
        yield
    finally:
        task.cancel()
        # Not awaited itself: a cancellation of the caller would be taken for the task's own.
        await asyncio.wait({task})


async def _beat(heartbeat: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(SECONDS)
        heartbeat()
