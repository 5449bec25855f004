"""The tables of a database as the database itself describes them."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from engine.store.address import parse
from engine.store.connection import create_engine

Description = dict[str, list[str]]


async def describe(url: str) -> Description:
    """Columns, keys, constraints and indexes of every table, without Alembic's own."""
    engine = create_engine(parse(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_describe)
    finally:
        await engine.dispose()


async def count_rows(url: str) -> dict[str, int]:
    """The number of rows of every table, without Alembic's own."""
    engine = create_engine(parse(url))
    try:
        async with engine.connect() as connection:
            names = await connection.run_sync(_names)
            return {
                name: await connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
                for name in names
            }
    finally:
        await engine.dispose()


def _names(connection: Connection) -> list[str]:
    return [name for name in inspect(connection).get_table_names() if name != "alembic_version"]


def _describe(connection: Connection) -> Description:
    inspector = inspect(connection)
    return {
        name: sorted(
            [
                *(
                    f"column {column['name']} {column['type']!r} {column['nullable']}"
                    for column in inspector.get_columns(name)
                ),
                f"primary key {inspector.get_pk_constraint(name)}",
                *(f"unique {unique}" for unique in inspector.get_unique_constraints(name)),
                *(f"check {check}" for check in inspector.get_check_constraints(name)),
                *(f"foreign key {key}" for key in inspector.get_foreign_keys(name)),
                *(f"index {index}" for index in inspector.get_indexes(name)),
            ]
        )
        for name in _names(connection)
    }
