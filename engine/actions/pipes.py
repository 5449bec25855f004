"""The pipes to and from a program: what it writes is kept up to a bound, and read to the end."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress


class Output(asyncio.Protocol):
    """The reading end of what a program writes.

    Attributes:
        data: the first bytes that it wrote, at most `limit`.
        size: how many it wrote.
    """

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.size = 0
        self._limit = limit
        self._ended = asyncio.Event()
        self._transport: asyncio.ReadTransport | None = None

    async def open(self) -> int:
        """The descriptor to write to; the caller closes it."""
        reading, writing = os.pipe()
        try:
            self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: self, os.fdopen(reading, "rb", 0)
            )
        except BaseException:
            os.close(writing)
            raise
        return writing

    async def drain(self, seconds: float) -> None:
        """Wait until all writers have closed their end, and then let go of it in any case."""
        if self._transport is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.size += len(data)
        self.data += data[: max(0, self._limit - len(self.data))]

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._ended.set()


class Input(asyncio.Protocol):
    """The writing end of what a program reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._transport: asyncio.WriteTransport | None = None

    async def open(self) -> int:
        """The descriptor to read from; the caller closes it."""
        reading, writing = os.pipe()
        try:
            transport, _ = await asyncio.get_running_loop().connect_write_pipe(
                lambda: self, os.fdopen(writing, "wb", 0)
            )
        except BaseException:
            os.close(reading)
            raise
        self._transport = transport
        transport.write(self._data)
        # Closes once all is written; who does not read to the end keeps it open until `close`.
        transport.close()
        return reading

    def close(self) -> None:
        """Let go of it, read or not."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
