"""What the long-running processes have in common: signals, and saying that they are ready."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

READY = "promote: ready"
"""The line that a worker or an agent prints once it polls; a supervisor waits for it."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, in place of ending the process at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def say_ready() -> None:
    """Print the ready line."""
    print(READY, flush=True)
