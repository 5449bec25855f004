"""The schema's revision: where it stands, where this code wants it, and how to get there.

The migrations are run from the installed package `migrations`
(https://alembic.sqlalchemy.org/en/latest/api/commands.html); no checkout and no ini file is needed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import engine.store.tables  # noqa: F401  completes the metadata that is compared
from engine.errors import InputError, PromotionEngineError, SchemaVersionError
from engine.store.address import display, is_sqlite, parse
from engine.store.base import Base
from engine.store.connection import BEGIN, create_engine
from engine.store.translation import UPGRADE, translated

_MIGRATION_LOCK = 0x70726F6D6F7465
"""Key of PostgreSQL's advisory lock, so that two processes do not migrate at once."""

_ALEMBIC = threading.Lock()
"""Held while a command runs, since Alembic keeps the environment of the command in globals."""


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration for the installed migrations, to run on `connection`."""
    config = Config()
    # ConfigParser takes a percent sign in the path for an interpolation.
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def head() -> str:
    """The revision that this code works with."""
    revision = ScriptDirectory.from_config(configuration()).get_current_head()
    if revision is None:
        raise PromotionEngineError("the installation is broken: it holds no migrations")
    return revision


async def current(url: str) -> str | None:
    """The revision that the database is on; None when it has no tables yet.

    Raises:
        InputError, UnreachableError.
    """
    parsed = parse(url)
    async with _engine(parsed) as database, database.connect() as connection:
        return await connection.run_sync(_revision)


async def require_current(database: AsyncEngine) -> None:
    """Do nothing when the database is on the revision that this code works with.

    Raises:
        SchemaVersionError: it is on none or on another; the message says what to do.
        UnreachableError: it did not answer.
    """
    with translated(database.url):
        async with database.connect() as connection:
            found = await connection.run_sync(_revision)
    _require_known(found, database.url)
    if found != head():
        stands = "has no tables yet" if found is None else f"is on revision {found}, not {head()}"
        raise SchemaVersionError(f"the database {display(database.url)} {stands}; {UPGRADE}")


async def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database up to `revision`. Whole or not at all; twice does nothing more.

    Raises:
        InputError: the URL cannot be used, or there is no such revision.
        SchemaVersionError: a newer version of this software has been at the database.
        UnreachableError: the database did not answer.
    """
    await _migrate(url, revision, command.upgrade)


async def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision`; `base` takes all tables and what is in them away.

    Raises:
        InputError, SchemaVersionError, UnreachableError: as for `upgrade`.
    """
    await _migrate(url, revision, command.downgrade)


async def check(url: str) -> list[str]:
    """How the database differs from the tables that this code declares; empty when it does not.

    Raises:
        InputError, UnreachableError.
    """
    parsed = parse(url)
    async with _engine(parsed) as database, database.connect() as connection:
        return await connection.run_sync(_drift)


async def _migrate(url: str, revision: str, run: Callable[[Config, str], None]) -> None:
    parsed = parse(url)

    def alone() -> None:
        with _ALEMBIC:
            asyncio.run(_run_command(parsed, revision, run))

    await asyncio.to_thread(alone)


async def _run_command(parsed: URL, revision: str, run: Callable[[Config, str], None]) -> None:
    async with _engine(parsed) as database:
        writer = database.execution_options(**{BEGIN: "IMMEDIATE"})
        async with writer.begin() as connection:
            if not is_sqlite(parsed):
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK}
                )
            _require_known(await connection.run_sync(_revision), parsed)
            try:
                await connection.run_sync(lambda sync: run(configuration(sync), revision))
            except CommandError as error:
                raise InputError("revision", str(error), f"the newest is {head()}") from error
            if is_sqlite(parsed):
                await _check_foreign_keys(connection)


async def _check_foreign_keys(connection: AsyncConnection) -> None:
    """Make up for the enforcement that is off during a migration on SQLite."""
    found = await connection.exec_driver_sql("PRAGMA foreign_key_check")
    broken = found.mappings().first()
    if broken is not None:
        raise PromotionEngineError(
            f"nothing was migrated: a row of {broken['table']} would refer to no row of "
            f"{broken['parent']}"
        )


@asynccontextmanager
async def _engine(url: URL) -> AsyncIterator[AsyncEngine]:
    database = create_engine(url, foreign_keys=False, timeouts=False)
    try:
        with translated(url):
            yield database
    finally:
        await database.dispose()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _require_known(revision: str | None, url: URL) -> None:
    known = {
        script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()
    }
    if revision is not None and revision not in known:
        raise SchemaVersionError(
            f"the database {display(url)} is on revision {revision}, which this version does not "
            "know; install the version that upgraded it, or a newer one"
        )


def _drift(connection: Connection) -> list[str]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    found = context.get_current_revision()
    if found != head():
        return [f"the database is on revision {found}, not on {head()}"]
    return [repr(difference) for difference in compare_metadata(context, Base.metadata)]
