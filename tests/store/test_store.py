from __future__ import annotations

import asyncio
import socket
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from engine.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    PromotionEngineError,
    SchemaVersionError,
    UnreachableError,
)
from engine.model.promotion import PromotionStatus
from engine.store import schema
from engine.store.address import parse
from engine.store.connection import create_engine
from engine.store.database import Database
from engine.store.store import Store
from tests.store.samples import TENANT, definition, opened


def test_opening_a_store_touches_nothing(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path / 'a' / 'b' / 'promote.db'}")
    assert list(tmp_path.iterdir()) == []


async def test_the_directory_of_an_sqlite_file_is_made_on_first_use(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "promote.db"
    await schema.upgrade(f"sqlite:///{path}")
    async with Store.open(f"sqlite:///{path}") as store:
        await store.require_current_schema()
        await store.environments.apply(definition())
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert raw.execute("SELECT name FROM environments").fetchall() == [("production",)]


async def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    sqlite_path = tmp_path / "promote.db"
    raw = sqlite3.connect(sqlite_path, isolation_level=None)
    raw.execute("CREATE TABLE made (id INTEGER)")
    raw.execute("BEGIN IMMEDIATE")
    engine = create_engine(parse(f"sqlite:///{sqlite_path}"))

    async def mode() -> object:
        async with engine.connect() as connection:
            return (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()

    asking = asyncio.create_task(mode())
    # SQLite itself answers `database is locked` at once here, whatever time it is given.
    await asyncio.sleep(0.3)
    assert not asking.done()
    raw.execute("COMMIT")
    raw.close()
    assert await asking == "wal"
    await engine.dispose()


async def test_what_was_written_is_there_for_the_next_store(database_url: str) -> None:
    async with Store.open(database_url) as first:
        await first.environments.apply(definition())
    async with Store.open(database_url) as second:
        await second.require_current_schema()
        assert await second.environments.list(TENANT) == [definition()]


async def test_an_empty_database_is_answered_with_the_command_to_run(
    empty_database_url: str,
) -> None:
    async with Store.open(empty_database_url) as store:
        with pytest.raises(SchemaVersionError, match="no tables yet; run: promote db upgrade"):
            await store.require_current_schema()
        with pytest.raises(SchemaVersionError, match="run: promote db upgrade"):
            await store.environments.list(TENANT)
        with pytest.raises(SchemaVersionError, match="run: promote db upgrade"):
            await store.environments.apply(definition())


async def test_an_older_schema_is_answered_with_the_command_to_run(
    empty_database_url: str,
) -> None:
    await schema.upgrade(empty_database_url, "0001")
    async with Store.open(empty_database_url) as store:
        with pytest.raises(SchemaVersionError, match=r"on revision 0001.*run: promote db upgrade"):
            await store.require_current_schema()


async def test_a_schema_from_a_newer_version_is_answered_with_what_to_install(
    store: Store, database: Database, database_url: str
) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaVersionError, match="9999, which this version does not know"):
        await store.require_current_schema()
    with pytest.raises(SchemaVersionError, match="9999, which this version does not know"):
        await schema.upgrade(database_url)


async def test_a_server_that_does_not_answer_is_unreachable_and_its_password_secret() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        url = f"postgresql://ann:hunter2@127.0.0.1:{taken.getsockname()[1]}/promote"
        async with Store.open(url) as store:
            for call in (store.require_current_schema(), store.environments.list(TENANT)):
                with pytest.raises(UnreachableError, match="did not answer") as error:
                    await call
                assert "hunter2" not in str(error.value)
        with pytest.raises(UnreachableError):
            await schema.current(url)


async def test_a_database_that_does_not_exist_is_unreachable(postgres_url: str) -> None:
    missing = make_url(postgres_url).set(database="nowhere").render_as_string(hide_password=False)
    async with Store.open(missing) as store:
        with pytest.raises(UnreachableError, match="nowhere"):
            await store.require_current_schema()


async def test_connections_that_the_server_has_cut_are_replaced(postgres_url: str) -> None:
    await schema.upgrade(postgres_url)
    async with Store.open(postgres_url) as store:
        await store.environments.apply(definition())
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert await store.environments.list(TENANT) == [definition()]


async def test_a_path_that_cannot_be_a_database_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "promote.db", tmp_path):
        async with Store.open(f"sqlite:///{path}") as store:
            with pytest.raises(UnreachableError):
                await store.require_current_schema()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to have a header" * 4)
    async with Store.open(f"sqlite:///{path}") as store:
        with pytest.raises(InputError, match=r"notes\.txt is not an SQLite database"):
            await store.require_current_schema()


async def test_a_write_that_raises_leaves_nothing_behind(store: Store, database: Database) -> None:
    async def write_then_fail() -> None:
        async with database.write() as session:
            await session.execute(
                text("INSERT INTO tenants (id, name) VALUES (:id, 'x')"),
                {"id": "0" * 32},
            )
            raise NotFoundError("x", "is not there")

    with pytest.raises(NotFoundError, match="is not there"):
        await write_then_fail()
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM tenants")) == 0


async def test_what_the_database_refuses_is_ours_to_tell(store: Store, database: Database) -> None:
    promotion = await opened(store)

    async def execute(statement: str) -> None:
        async with database.write() as session:
            await session.execute(text(statement))

    with pytest.raises(ConflictError):
        await execute("INSERT INTO tenants SELECT * FROM tenants")
    with pytest.raises(NotFoundError):
        await execute("DELETE FROM environments")
    with pytest.raises(PromotionEngineError) as error:
        await execute("SELEKT 1")
    assert type(error.value) is PromotionEngineError
    with pytest.raises(InputError, match="without a time zone"):
        await store.promotions.record_status(
            promotion.promotion_id,
            PromotionStatus.RUNNING,
            None,
            at=datetime(2026, 1, 1),
        )


async def test_what_is_held_up_by_a_lock_on_postgresql_is_unreachable_and_not_a_hang(
    postgres_url: str,
) -> None:
    await schema.upgrade(postgres_url)
    impatient = make_url(postgres_url).update_query_dict({"options": "-c lock_timeout=200"})
    async with Store.open(impatient.render_as_string(hide_password=False)) as store:
        promotion = (await opened(store)).promotion_id
        with psycopg.connect(postgres_url) as holder:
            holder.execute("SELECT * FROM promotions FOR UPDATE")
            with pytest.raises(UnreachableError, match="lock timeout"):
                await store.promotions.record_status(
                    promotion, PromotionStatus.RUNNING, None, at=datetime.now(UTC)
                )
        await store.promotions.record_status(
            promotion, PromotionStatus.RUNNING, None, at=datetime.now(UTC)
        )
        assert (await store.promotions.get(promotion)).status is PromotionStatus.RUNNING


async def test_a_statement_that_takes_too_long_on_postgresql_is_ended(postgres_url: str) -> None:
    impatient = make_url(postgres_url).update_query_dict({"options": "-c statement_timeout=200"})
    database = Database(impatient.render_as_string(hide_password=False))
    with pytest.raises(UnreachableError, match="statement timeout"):
        async with database.read() as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    await database.close()


async def test_postgresql_has_time_limits_except_for_migrations(postgres_url: str) -> None:
    settings = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")

    async def limits(**more: bool) -> list[str]:
        engine = create_engine(parse(postgres_url), **more)
        async with engine.connect() as connection:
            found = [await connection.scalar(text(f"SHOW {name}")) for name in settings]
        await engine.dispose()
        return [str(limit) for limit in found]

    assert await limits() == ["10s", "20s", "1min"]
    assert await limits(timeouts=False) == ["0", "0", "0"]
