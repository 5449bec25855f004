"""Receipts: the exporting thread says what was delivered, and the event loop writes it down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future

_LOGGER = logging.getLogger(__name__)

Write = Callable[[Sequence[tuple[str, str]]], Awaitable[None]]
"""Writes trace and span ids of delivered spans down."""


class ReceiptWriter:
    """Writes receipts from another thread, on the event loop in which it was made.

    A receipt that cannot be written costs a second delivery of the span, with the same id and
    content, and nothing else.

    Attributes:
        lost: how many receipts could not be written so far.
    """

    def __init__(self, write: Write) -> None:
        self.lost = 0
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._writing: set[Future[None]] = set()

    def __call__(self, spans: Sequence[tuple[str, str]]) -> None:
        """Have the receipts of these spans written."""
        writing = asyncio.run_coroutine_threadsafe(self._written(spans), self._loop)
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def drain(self) -> None:
        """Wait until all is written that was delivered so far."""
        await asyncio.gather(*(asyncio.wrap_future(writing) for writing in list(self._writing)))

    async def _written(self, spans: Sequence[tuple[str, str]]) -> None:
        try:
            await self._write(spans)
        except Exception as error:
            # Exporting goes on whatever becomes of its bookkeeping.
            self.lost += len(spans)
            _LOGGER.warning("%d span receipts were not written: %s", len(spans), error)
