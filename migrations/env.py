"""What Alembic runs for every command (https://alembic.sqlalchemy.org/en/latest/tutorial.html).

`engine.store.schema` passes the connection to work on. Without one, as from the `alembic` command
line of a developer, it is the database of PROMOTE_DATABASE_URL.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection

import engine.store.tables  # noqa: F401  completes the metadata below
from engine.config import load_settings
from engine.store.address import parse
from engine.store.base import Base
from engine.store.connection import BEGIN, create_engine


def run(connection: Connection) -> None:
    """Run the migrations on `connection`."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
        # SQLite has no ALTER of columns and constraints; Alembic rebuilds the table there.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_configured_database() -> None:
    """Run the migrations on the database that the settings name."""
    database = create_engine(
        parse(load_settings().effective_database_url), foreign_keys=False, timeouts=False
    )
    try:
        async with database.execution_options(**{BEGIN: "IMMEDIATE"}).begin() as connection:
            await connection.run_sync(run)
    finally:
        await database.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_on_configured_database())
else:
    run(given)
