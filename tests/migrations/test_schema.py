from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from engine.errors import InputError, PromotionEngineError
from engine.store import schema
from engine.store.address import parse
from engine.store.connection import create_engine
from engine.store.store import Store
from tests.migrations.filling import fill_catalogue
from tests.migrations.tables import describe

ROOT = Path(__file__).parents[2]
UPGRADE = (
    "import asyncio, sys; from engine.store import schema; asyncio.run(schema.upgrade(sys.argv[1]))"
)


async def run(*arguments: str, cwd: Path = ROOT, **variables: str) -> tuple[int | None, str]:
    """The return code and the output of a Python process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=cwd,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_upgrading_twice_is_upgrading_once(empty_database_url: str) -> None:
    assert await schema.current(empty_database_url) is None
    await schema.upgrade(empty_database_url)
    first = await describe(empty_database_url)
    await schema.upgrade(empty_database_url)
    assert await describe(empty_database_url) == first
    assert await schema.current(empty_database_url) == schema.head()


async def test_tasks_that_upgrade_at_once_all_succeed(empty_database_url: str) -> None:
    await asyncio.gather(*(schema.upgrade(empty_database_url) for _ in range(6)))
    assert await schema.check(empty_database_url) == []


async def test_databases_that_are_upgraded_at_once_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    urls = [f"sqlite:///{tmp_path / str(number)}.db" for number in range(6)]
    await asyncio.gather(*(schema.upgrade(url) for url in urls for _ in range(2)))
    assert [await schema.check(url) for url in urls] == [[]] * 6


async def test_processes_that_upgrade_at_once_all_succeed(empty_database_url: str) -> None:
    ends = await asyncio.gather(*(run("-c", UPGRADE, empty_database_url) for _ in range(5)))
    assert ends == [(0, "")] * 5
    assert await schema.check(empty_database_url) == []


async def test_a_migration_that_fails_changes_nothing(empty_database_url: str) -> None:
    await schema.upgrade(empty_database_url, "0001")
    engine = create_engine(parse(empty_database_url))
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE approvals (id INTEGER)")
    before = await describe(empty_database_url)
    with pytest.raises(PromotionEngineError, match=r"approvals.* already exists") as error:
        await schema.upgrade(empty_database_url)
    assert type(error.value) is PromotionEngineError
    assert await schema.current(empty_database_url) == "0001"
    assert await describe(empty_database_url) == before
    async with engine.begin() as connection:
        await connection.exec_driver_sql("DROP TABLE approvals")
    await engine.dispose()
    await schema.upgrade(empty_database_url)
    assert await schema.check(empty_database_url) == []


async def test_a_migration_that_would_leave_a_broken_reference_on_sqlite_changes_nothing(
    sqlite_url: str,
) -> None:
    await schema.upgrade(sqlite_url, "0001")
    async with Store.open(sqlite_url) as store:
        await fill_catalogue(store)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as raw:
        raw.execute("DELETE FROM agents")
    with pytest.raises(PromotionEngineError, match="a row of targets would refer to no row of ag"):
        await schema.upgrade(sqlite_url)
    assert await schema.current(sqlite_url) == "0001"


@pytest.mark.parametrize("revision", ["nonsense", "+9"])
async def test_a_revision_that_does_not_exist_is_refused(
    empty_database_url: str, revision: str
) -> None:
    with pytest.raises(InputError, match=rf"revision: .*the newest is {schema.head()}"):
        await schema.upgrade(empty_database_url, revision)
    with pytest.raises(InputError, match="revision: "):
        await schema.downgrade(empty_database_url, "nonsense")


async def test_the_installed_packages_are_enough(tmp_path: Path, sqlite_url: str) -> None:
    installed = tmp_path / "site 100%"
    for package in ("engine", "migrations"):
        shutil.copytree(ROOT / package, installed / package)
    script = f"{UPGRADE}; print(schema.__file__)"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code, output = await run(
        "-P", "-c", script, sqlite_url, cwd=elsewhere, PYTHONPATH=str(installed)
    )
    assert (code, output) == (0, f"{installed / 'engine' / 'store' / 'schema.py'}\n")
    assert await schema.check(sqlite_url) == []


async def test_alembics_own_command_line_agrees(tmp_path: Path, empty_database_url: str) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text(f"[alembic]\nscript_location = {ROOT / 'migrations'}\npath_separator = os\n")

    async def alembic(*arguments: str) -> tuple[int | None, str]:
        return await run(
            "-m", "alembic", "-c", str(ini), *arguments, PROMOTE_DATABASE_URL=empty_database_url
        )

    code, output = await alembic("check")
    assert (code, "not up to date" in output) == (255, True), output
    assert (await alembic("upgrade", "head"))[0] == 0
    assert await schema.current(empty_database_url) == schema.head()
    code, output = await alembic("check")
    assert (code, "No new upgrade operations detected." in output) == (0, True), output
