"""The database as the repositories use it: a transaction to read in, and one to write in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from engine.store.address import is_sqlite, parse
from engine.store.connection import BEGIN, create_engine
from engine.store.translation import translated


class Database:
    """A pool of connections to one database, to be used within one event loop.

    Making one connects to nothing. Every error that comes out of `read` and `write` is one of
    `engine.errors`.
    """

    def __init__(self, url: str) -> None:
        """Use the database at `url`.

        Raises:
            InputError: the URL cannot be used.
        """
        self.url = parse(url)
        self.engine = create_engine(self.url)
        self._readers = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writers = async_sessionmaker(
            self.engine.execution_options(**{BEGIN: "IMMEDIATE"}), expire_on_commit=False
        )
        # SQLite has one writer at a time and makes the others poll. Within a process they queue
        # here instead, before they take a connection, so that reading goes on beside them.
        self._turn: AbstractAsyncContextManager[object] = (
            asyncio.Lock() if is_sqlite(self.url) else nullcontext()
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session whose reads see one state of the database; nothing of it is kept.

        Raises:
            PromotionEngineError: see `engine.store.translation.translated`.
        """
        with translated(self.url):
            async with self._readers() as session:
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose writes are kept all, or none when the body raises.

        Raises:
            PromotionEngineError: see `engine.store.translation.translated`.
        """
        with translated(self.url):
            async with self._turn, self._writers.begin() as session:
                yield session

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
