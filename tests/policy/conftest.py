from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.store.store import Store
from tests.harness.databases import upgrade


@pytest.fixture
async def store(empty_database_url: str) -> AsyncIterator[Store]:
    """A store on an empty database, once on each of the two systems."""
    await upgrade(empty_database_url)
    async with Store.open(empty_database_url) as opened:
        yield opened
