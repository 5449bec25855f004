"""Run a command's work against Temporal or the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.cli.running import run
from engine.errors import SchemaVersionError

if TYPE_CHECKING:
    from temporalio.client import Client

    from engine.client import PromotionClient
    from engine.config import Settings
    from engine.store.store import Store

_Result = TypeVar("_Result")


def with_client(work: Callable[[PromotionClient], Awaitable[_Result]]) -> _Result:
    """Connect to Temporal, do `work`, and return its result.

    Raises:
        UnreachableError: the server does not answer.
        PromotionEngineError: what `work` raises.
    """

    async def connected(client: Client) -> _Result:
        from engine.client import PromotionClient

        return await work(PromotionClient(client))

    return with_temporal(connected)


def with_temporal(work: Callable[[Client], Awaitable[_Result]]) -> _Result:
    """Connect to Temporal, do `work` with the bare client, and return its result.

    Raises:
        UnreachableError: the server does not answer.
        PromotionEngineError: what `work` raises.
    """
    from engine.config import load_settings
    from engine.temporal import connect

    settings = load_settings()

    async def connected() -> _Result:
        return await work(await connect(settings))

    return run(connected())


def with_store(work: Callable[[Store], Awaitable[_Result]]) -> _Result:
    """Open the database, insist on its schema, do `work`, and return its result.

    Raises:
        SchemaVersionError: the database needs a migration, or does not exist yet.
        UnreachableError: it does not answer.
        PromotionEngineError: what `work` raises.
    """
    from engine.config import load_settings

    settings = load_settings()

    async def opened() -> _Result:
        async with _current_store(settings) as store:
            return await work(store)

    return run(opened())


def require_schema_if_present(settings: Settings) -> None:
    """Refuse to go on with a database that this version cannot use.

    A database that is not configured and does not exist here is somebody else's business: that of
    the machine on which the worker runs.

    Raises:
        SchemaVersionError: the database needs a migration.
        UnreachableError: it does not answer.
    """

    async def check() -> None:
        async with _current_store(settings):
            pass

    if settings.database_url or missing_file(settings) is None:
        run(check())


def missing_file(settings: Settings) -> Path | None:
    """The SQLite file that the settings name, when it does not exist; opening would make it."""
    from engine.store.address import is_sqlite, parse

    url = parse(settings.effective_database_url)
    if not is_sqlite(url):
        return None
    path = Path(url.database or "")
    return None if path.exists() else path


@asynccontextmanager
async def _current_store(settings: Settings) -> AsyncIterator[Store]:
    from engine.store.store import Store

    missing = missing_file(settings)
    if missing is not None:
        raise SchemaVersionError(f"there is no database {missing} yet; run: promote db upgrade")
    async with Store.open(settings.effective_database_url) as store:
        await store.require_current_schema()
        yield store
