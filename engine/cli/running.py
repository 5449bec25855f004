"""Running a command's coroutine so that Ctrl-C ends it, whatever it waits for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run `work` in an event loop of its own, to its end or to the first Ctrl-C.

    Raises:
        KeyboardInterrupt: it was interrupted, once it has cleaned up.
    """
    return asyncio.run(_interruptible(work))


async def _interruptible(work: Coroutine[Any, Any, _Result]) -> _Result:
    # `asyncio.run` waits for the signal without a wake-up descriptor. One that arrives right before
    # the loop goes to sleep, or at a thread of Temporal's, would be noticed at the next event only.
    loop, task = asyncio.get_running_loop(), asyncio.create_task(work)
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        # The next one ends the process without more ado.
        loop.remove_signal_handler(signal.SIGINT)
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
