"""Engines: how a connection to either database is made and set up."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import URL, Connection, event
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from engine.errors import UnreachableError
from engine.store.address import display, is_sqlite

BEGIN = "promote_begin"
"""Execution option: SQLite's kind of transaction, `DEFERRED` (the default) or `IMMEDIATE`."""

BUSY_SECONDS = 30
"""How long a writer waits for other processes' transactions on SQLite, each a few milliseconds."""

_POSTGRES_DEFAULTS: dict[str, Any] = {
    "application_name": "promotion-engine",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq's parameters (https://www.postgresql.org/docs/current/libpq-connect.html), seconds but for
the last, which is milliseconds: a peer that is gone is noticed. The URL's own parameters win."""

_POSTGRES_TIMEOUTS = {
    "lock_timeout": 10_000,
    "statement_timeout": 20_000,
    "idle_in_transaction_session_timeout": 60_000,
}
"""Milliseconds (https://www.postgresql.org/docs/current/runtime-config-client.html), less than an
activity on the database is given: what is held up fails and is tried again, and whoever stops in
the middle of a transaction does not hold up the others for ever. `options` in the URL wins."""


def create_engine(url: URL, *, foreign_keys: bool = True, timeouts: bool = True) -> AsyncEngine:
    """An engine for `url` (see `engine.store.address`); nothing is connected or made yet.

    Args:
        foreign_keys: whether SQLite enforces them; a migration that rebuilds a table cannot do
            with that (https://www.sqlite.org/lang_altertable.html#otheralter).
        timeouts: whether PostgreSQL ends statements that take long; a migration may take its time.
    """
    if is_sqlite(url):
        return _create_sqlite(url, foreign_keys=foreign_keys)
    defaults = {key: value for key, value in _POSTGRES_DEFAULTS.items() if key not in url.query}
    if timeouts:
        # Of several values for one setting the last one counts, which is the URL's.
        defaults["options"] = " ".join(
            [
                *(f"-c {name}={value}" for name, value in _POSTGRES_TIMEOUTS.items()),
                *_listed(url.query.get("options")),
            ]
        )
    return create_async_engine(url, connect_args=defaults, pool_pre_ping=True, hide_parameters=True)


def _listed(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()


def _create_sqlite(url: URL, *, foreign_keys: bool) -> AsyncEngine:
    # The driver's own transaction control is switched off, because it begins too late for reads
    # and never with IMMEDIATE; see the listener on "begin".
    engine = create_async_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None},
        hide_parameters=True,
    )

    def make_directory(*_: object) -> None:
        directory = Path(url.database or "").parent
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnreachableError(
                f"the database {display(url)} cannot be opened: {directory}: {error.strerror}"
            ) from error

    def set_up(connection: AsyncAdapt_aiosqlite_connection, _: ConnectionPoolEntry) -> None:
        # Readers and the one writer do not block each other in this mode, which the file
        # remembers. `synchronous` stays FULL: what an activity has reported as done must
        # survive a power cut, since the workflow will not do it again.
        connection.run_async(_use_write_ahead_log)
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        finally:
            cursor.close()

    def begin(connection: Connection) -> None:
        # A transaction that begins with a read and then writes fails at once, without waiting,
        # when another has written in between; IMMEDIATE waits at its start instead
        # (https://www.sqlite.org/lang_transaction.html).
        kind = connection.get_execution_options().get(BEGIN, "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    def before_connect(
        dialect: Dialect, entry: ConnectionPoolEntry, arguments: Any, parameters: Any
    ) -> None:
        make_directory()

    event.listen(engine.sync_engine, "do_connect", before_connect)
    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", begin)
    return engine


async def _use_write_ahead_log(driver: aiosqlite.Connection) -> None:
    """Change the file's mode, waiting for others: SQLite does not wait by itself for this lock."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + BUSY_SECONDS
    while True:
        try:
            await driver.execute_fetchall("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or clock.time() > deadline:
                raise
            await asyncio.sleep(0.02)
        else:
            return
