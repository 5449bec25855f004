"""Databases on the current revision, migrated once a process and copied from then on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from engine.store import schema


class _File(NamedTuple):
    content: bytes
    mode: int


_sqlite: list[_File] = []
_postgres: list[str] = []


async def upgrade(url: str) -> None:
    """Bring an empty database of this run to the current revision.

    What migrating does is for tests/migrations to prove; here only its result matters.
    """
    if url.startswith("sqlite"):
        await _upgrade_sqlite(url)
    else:
        await _upgrade_postgres(url)


async def _upgrade_sqlite(url: str) -> None:
    path = Path(make_url(url).database or "")
    is_new = not path.exists()
    if is_new and _sqlite:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_sqlite[0].content)
        path.chmod(_sqlite[0].mode)
        return
    await schema.upgrade(url)
    if is_new:
        _sqlite.append(_File(path.read_bytes(), path.stat().st_mode))


async def _upgrade_postgres(url: str) -> None:
    address = make_url(url)
    name = sql.Identifier(address.database or "")
    administration = address.set(database="postgres").render_as_string(hide_password=False)
    if not _postgres:
        await schema.upgrade(url)
        _postgres.append(f"{address.database}_template")
        source, copy = name, sql.Identifier(_postgres[0])
    else:
        source, copy = sql.Identifier(_postgres[0]), name
    with psycopg.connect(administration, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(copy))
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(copy, source))
