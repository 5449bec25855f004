from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.store.database import Database
from engine.store.store import Store
from tests.harness.databases import upgrade


@pytest.fixture
async def database_url(empty_database_url: str) -> str:
    await upgrade(empty_database_url)
    return empty_database_url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)
