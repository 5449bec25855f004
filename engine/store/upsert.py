"""Writes that can be repeated, in the one form that both databases share.

SQLite's `ON CONFLICT` was made after PostgreSQL's (https://www.sqlite.org/lang_upsert.html), so
that one statement serves both. Rows go in the order of their keys, so that two writers of the same
rows wait for each other instead of deadlocking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Table, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from engine.store.base import Base

Row = Mapping[str, Any]
"""Values by column name; the rows of one call have the same columns."""

_Insert = postgresql.Insert | sqlite.Insert


async def add_if_missing(session: AsyncSession, record: type[Base], row: Row) -> bool:
    """Insert `row` unless one with the same key is there; whether it was inserted."""
    table = _table(record)
    statement = (
        _insert(session, table)
        .values(dict(row))
        .on_conflict_do_nothing()
        .returning(*table.primary_key.columns)
    )
    return (await session.execute(statement)).first() is not None


async def add_missing(session: AsyncSession, record: type[Base], rows: Sequence[Row]) -> None:
    """Insert those of `rows` whose key is not there yet, in one statement."""
    if rows:
        table = _table(record)
        statement = _insert(session, table).on_conflict_do_nothing()
        await session.execute(statement, _ordered(table, rows))


async def upsert(
    session: AsyncSession,
    record: type[Base],
    rows: Sequence[Row],
    *,
    newest_by: str | None = None,
    begun_by: str | None = None,
) -> None:
    """Insert `rows`, and overwrite those whose primary key is there, in one statement.

    Args:
        newest_by: a column of times. A row that has one there gives way only to a row whose time is
            not earlier, so that a late repetition of an earlier write changes nothing.
        begun_by: a column of times. A row whose time there is later than the stored one's in
            `newest_by` is of work that began anew, and replaces it.
    """
    if not rows:
        return
    table = _table(record)
    insert = _insert(session, table)
    keys = [column.name for column in table.primary_key.columns]
    where = None
    if newest_by is not None:
        stored, given = table.c[newest_by], insert.excluded[newest_by]
        where = or_(stored.is_(None), given >= stored)
        if begun_by is not None:
            where = or_(where, insert.excluded[begun_by] > stored)
    statement = insert.on_conflict_do_update(
        index_elements=keys,
        set_={name: insert.excluded[name] for name in rows[0] if name not in keys},
        where=where,
    )
    await session.execute(statement, _ordered(table, rows))


def _table(record: type[Base]) -> Table:
    return cast("Table", record.__table__)


def _insert(session: AsyncSession, table: Table) -> _Insert:
    dialect = session.get_bind().dialect.name
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def _ordered(table: Table, rows: Sequence[Row]) -> list[dict[str, Any]]:
    keys = [column.name for column in table.primary_key.columns if column.name in rows[0]]
    return [dict(row) for row in sorted(rows, key=lambda row: tuple(row[key] for key in keys))]
