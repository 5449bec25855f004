from __future__ import annotations

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, Text
from sqlalchemy.exc import IntegrityError

import engine.store.tables  # noqa: F401  completes the metadata
from engine.store import schema
from engine.store.address import parse
from engine.store.base import Base
from engine.store.connection import create_engine
from engine.store.store import Store
from tests.migrations.filling import STAGES
from tests.migrations.tables import count_rows, describe

REVISIONS = list(STAGES)


async def test_every_table_that_the_code_declares_is_migrated_exactly(
    empty_database_url: str,
) -> None:
    created = create_engine(parse(empty_database_url))
    async with created.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    declared = await describe(empty_database_url)
    async with created.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await created.dispose()
    assert set(declared) == set(Base.metadata.tables)
    await schema.upgrade(empty_database_url)
    assert await describe(empty_database_url) == declared


async def test_alembic_finds_no_difference_between_tables_and_migrations(
    empty_database_url: str,
) -> None:
    await schema.upgrade(empty_database_url)
    assert await schema.check(empty_database_url) == []


async def test_the_check_sees_a_difference(empty_database_url: str) -> None:
    await schema.upgrade(empty_database_url, "0003")
    assert await schema.check(empty_database_url) == [
        f"the database is on revision 0003, not on {schema.head()}"
    ]
    await schema.upgrade(empty_database_url)
    engine = create_engine(parse(empty_database_url))
    async with engine.begin() as connection:
        await connection.exec_driver_sql("DROP INDEX ix_agent_tasks_job_id")
        await connection.exec_driver_sql("ALTER TABLE evidence ADD COLUMN extra TEXT")
    await engine.dispose()
    differences = await schema.check(empty_database_url)
    assert len(differences) == 2
    assert any("ix_agent_tasks_job_id" in difference for difference in differences)
    assert any("extra" in difference for difference in differences)


async def test_every_step_down_and_up_again_leaves_the_same_tables(
    empty_database_url: str,
) -> None:
    assert schema.head() == REVISIONS[-1]
    before: dict[str, object] = {"base": await describe(empty_database_url)}
    for revision in REVISIONS:
        await schema.upgrade(empty_database_url, revision)
        before[revision] = await describe(empty_database_url)
    assert len({len(str(tables)) for tables in before.values()}) == len(before)
    for revision in ["base", *REVISIONS][-2::-1]:
        await schema.downgrade(empty_database_url, revision)
        expected = None if revision == "base" else revision
        assert await schema.current(empty_database_url) == expected
        assert await describe(empty_database_url) == before[revision]
    await schema.upgrade(empty_database_url)
    assert await describe(empty_database_url) == before[REVISIONS[-1]]


async def test_upgrading_keeps_what_each_revision_held(empty_database_url: str) -> None:
    expected: dict[str, object] = {}
    for revision, (fill, _) in STAGES.items():
        await schema.upgrade(empty_database_url, revision)
        async with Store.open(empty_database_url) as store:
            await fill(store)
            for earlier in REVISIONS[: REVISIONS.index(revision) + 1]:
                found = await STAGES[earlier][1](store)
                assert found
                assert found == expected.setdefault(earlier, found)
    assert all(count > 0 for count in (await count_rows(empty_database_url)).values())


@pytest.mark.parametrize("lowest", ["base", *REVISIONS[:-1]])
async def test_downgrading_full_tables_keeps_what_is_older_and_the_way_back_is_open(
    empty_database_url: str, lowest: str
) -> None:
    await schema.upgrade(empty_database_url)
    kept = REVISIONS[: REVISIONS.index(lowest) + 1] if lowest != "base" else []
    lost = [revision for revision in REVISIONS if revision not in kept]
    async with Store.open(empty_database_url) as store:
        for fill, _ in STAGES.values():
            await fill(store)
        before = {revision: await STAGES[revision][1](store) for revision in kept}
    await schema.downgrade(empty_database_url, lowest)
    counts = await count_rows(empty_database_url)
    assert all(count > 0 for count in counts.values())
    assert bool(counts) == bool(kept)
    await schema.upgrade(empty_database_url)
    async with Store.open(empty_database_url) as store:
        for revision in kept:
            assert await STAGES[revision][1](store) == before[revision]
        for revision in lost:
            await STAGES[revision][0](store)
            assert await STAGES[revision][1](store)


async def test_a_table_that_others_refer_to_can_be_rebuilt_on_sqlite(sqlite_url: str) -> None:
    await schema.upgrade(sqlite_url)
    async with Store.open(sqlite_url) as store:
        for fill, _ in STAGES.values():
            await fill(store)
    before, rows = await describe(sqlite_url), await count_rows(sqlite_url)

    def rebuild(connection: Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("promotions", recreate="always") as batch:
            batch.add_column(Column("note", Text))

    for foreign_keys in (True, False):
        engine = create_engine(parse(sqlite_url), foreign_keys=foreign_keys)
        try:
            async with engine.begin() as connection:
                if foreign_keys:
                    with pytest.raises(IntegrityError):
                        await connection.run_sync(rebuild)
                    await connection.rollback()
                else:
                    await connection.run_sync(rebuild)
        finally:
            await engine.dispose()
    after = await describe(sqlite_url)
    assert await count_rows(sqlite_url) == rows
    assert sorted(set(after.pop("promotions")) - set(before.pop("promotions"))) == [
        "column note TEXT() True"
    ]
    assert after == before
