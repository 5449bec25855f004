from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from engine.errors import ConflictError, UnreachableError
from engine.model import identity
from engine.model.canonical import sha256_hex
from engine.model.promotion import PromotionStatus
from engine.store import connection, schema
from engine.store.change import Change
from engine.store.database import Database
from engine.store.store import Store
from tests.store.samples import (
    START,
    TENANT,
    after,
    contents,
    definition,
    opened,
    release,
    result,
    start_job,
    tasks,
)
from tests.store.writer import ROUNDS, write_round

ROOT = Path(__file__).parents[2]
PROCESSES = 4


async def test_processes_that_write_the_same_at_once_all_succeed_and_write_it_once(
    store: Store, database: Database, database_url: str
) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.store.writer", database_url),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES, ends
    rows = await store.promotions.list(TENANT)
    assert [row.status for row in rows] == [PromotionStatus.SUCCEEDED] * ROUNDS
    counts = {
        "environments": ROUNDS,
        "environment_revisions": ROUNDS,
        "targets": 3 * ROUNDS,
        "agents": 1,
        "releases": ROUNDS,
        "attachments": 1,
        "components": 2 * ROUNDS,
        "deployment_jobs": ROUNDS,
        "agent_tasks": 6 * ROUNDS,
        "evidence": ROUNDS,
        "evidence_envelopes": ROUNDS,
    }
    async with database.read() as session:
        for table, expected in counts.items():
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == expected, table


async def test_many_tasks_of_one_process_write_at_once(store: Store) -> None:
    await asyncio.gather(*(write_round(store, number % 20) for number in range(60)))
    assert len(await store.promotions.list(TENANT)) == 20


async def test_of_equal_definitions_applied_at_once_one_creates(store: Store) -> None:
    changes = await asyncio.gather(
        *(store.environments.apply(definition()) for _ in range(20)),
    )
    assert Counter(changes) == {Change.CREATED: 1, Change.UNCHANGED: 19}


async def test_different_definitions_applied_at_once_each_become_a_revision(
    store: Store,
) -> None:
    given = [definition(targets=["web", f"web-{number}"]) for number in range(20)]
    changes = await asyncio.gather(*(store.environments.apply(item) for item in given))
    assert Counter(changes) == {Change.CREATED: 1, Change.CHANGED: 19}
    revisions = await store.environments.revisions(TENANT, "production")
    assert [revision.number for revision in revisions] == list(range(1, 21))
    assert {revision.digest for revision in revisions} == {item.digest for item in given}
    assert await store.environments.get(TENANT, "production") == revisions[-1].definition


async def test_of_different_contents_for_one_version_one_is_registered(store: Store) -> None:
    given = [release(contents=f"web {number}".encode()) for number in range(10)]
    ends = await asyncio.gather(
        *(store.releases.register(TENANT, item, contents()) for item in given),
        return_exceptions=True,
    )
    assert ends.count(Change.CREATED) == 1
    assert sum(isinstance(end, ConflictError) for end in ends) == 9
    assert await store.releases.get(TENANT, "shop@1.4.0") == given[ends.index(Change.CREATED)]


async def test_of_final_statuses_recorded_at_once_one_stays(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    finals = [status for status in PromotionStatus if status.is_final]
    await asyncio.gather(
        *(
            store.promotions.record_status(promotion, status, None, at=after(number))
            for number, status in enumerate(finals)
        )
    )
    settled = await store.promotions.get(promotion)
    assert settled.ended_at == after(finals.index(settled.status))


async def test_everyone_who_signs_at_once_gets_the_same_envelope(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    evidence = identity.evidence_id(promotion)
    statements = [f"statement {number}".encode() for number in range(10)]
    stored = await asyncio.gather(
        *(
            store.evidence.put_statement(
                evidence, promotion, item, sha256_hex(item), finished_at=after(60)
            )
            for item in statements
        )
    )
    assert len(set(stored)) == 1
    digest = sha256_hex(stored[0])
    envelopes = await asyncio.gather(
        *(
            store.evidence.put_envelope(evidence, digest, "key-1", f"envelope {n}".encode())
            for n in range(10)
        )
    )
    assert set(envelopes) == {(await store.evidence.get(promotion)).envelope}


async def test_reading_goes_on_while_a_writer_holds_its_transaction(
    store: Store, database: Database
) -> None:
    await store.environments.apply(definition(), at=START)
    async with database.write() as session:
        await session.execute(text("UPDATE environments SET position = 9"))
        assert await store.environments.get(TENANT, "production") == definition()


async def test_reading_goes_on_on_sqlite_however_many_wait_to_write(sqlite_url: str) -> None:
    await schema.upgrade(sqlite_url)
    database = Database(sqlite_url)
    store = Store(database)
    await store.environments.apply(definition(), at=START)
    async with database.write():
        writers = [
            asyncio.create_task(store.environments.apply(definition(f"env-{number}")))
            for number in range(30)
        ]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(connection.BUSY_SECONDS / 3):
            assert await store.environments.get(TENANT, "production") == definition()
        assert not any(writer.done() for writer in writers)
    assert set(await asyncio.gather(*writers)) == {Change.CREATED}
    await store.close()


async def test_the_same_rows_written_at_once_in_opposite_orders_do_not_deadlock(
    store: Store,
) -> None:
    promotion = await opened(store)
    wanted = definition(targets=[f"web-{number}" for number in range(300)])
    await store.environments.apply(wanted)
    job = await start_job(store, promotion)
    results = [result(task, None) for task in tasks(promotion, wanted.targets)]
    for _ in range(5):
        await asyncio.gather(
            *(store.executions.record_tasks(job, order) for order in (results, results[::-1]))
        )
    assert len(await store.executions.tasks(job)) == 600


async def test_a_writer_that_is_cancelled_lets_the_next_one_write(
    store: Store, database: Database
) -> None:
    entered = asyncio.Event()

    async def hold() -> None:
        async with database.write() as session:
            await session.execute(text("DELETE FROM tenants"))
            entered.set()
            await asyncio.Event().wait()

    holder = asyncio.create_task(hold())
    await entered.wait()
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    assert await store.environments.apply(definition()) is Change.CREATED


async def test_a_file_that_another_process_keeps_locked_is_unreachable_not_a_crash(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await schema.upgrade(sqlite_url)
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.1)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with Store.open(sqlite_url) as store:
        with pytest.raises(UnreachableError, match="locked"):
            await store.environments.apply(definition())
        other.execute("ROLLBACK")
        assert await store.environments.apply(definition()) is Change.CREATED
    other.close()
