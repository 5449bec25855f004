"""Blocking work beside the event loop, and signs of life while it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from typing import TypeVar

HEARTBEAT_SECONDS = 1.0

ResultT = TypeVar("ResultT")


async def in_thread(work: Callable[[], ResultT]) -> ResultT:
    """Run `work` in a thread and wait for its end, also when the caller is cancelled meanwhile.

    A thread cannot be stopped. Were the wait given up, the target's lock would be let go while the
    thread still writes.
    """
    # Not asyncio.to_thread: its task is cancelled when the loop closes down, while the thread runs.
    # The context goes along, since the trace of the task at hand is in it.
    job = asyncio.get_running_loop().run_in_executor(None, copy_context().run, work)
    try:
        await asyncio.wait({job})
    finally:
        while not job.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({job})
        # Reading the error marks it as seen, for the case that a cancellation is raised instead.
        failed = job.exception()
    if failed is not None:
        raise failed
    return job.result()


@asynccontextmanager
async def beating(heartbeat: Callable[[], None]) -> AsyncIterator[None]:
    """Call `heartbeat` at once and every second until the block ends."""

    async def beat() -> None:
        while True:
            heartbeat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    beater = asyncio.create_task(beat())
    try:
        yield
    finally:
        beater.cancel()
        with suppress(asyncio.CancelledError):
            await beater
