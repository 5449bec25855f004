from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.directory.supervision import stop_services
from engine.drivers.protocol import DriverContext

from .support import ArtifactServer, context_of, processes_below, running_server


@pytest.fixture
def driver() -> DirectoryDriver:
    return DirectoryDriver()


@pytest.fixture
async def root(tmp_path: Path) -> AsyncIterator[Path]:
    """An agent's root. No process may be left in it once its services are stopped."""
    directory = tmp_path / "agent"
    yield directory
    await stop_services(directory)
    left = processes_below(tmp_path)
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture
def context(root: Path) -> DriverContext:
    return context_of(root)


@pytest.fixture
def server() -> Iterator[ArtifactServer]:
    with running_server() as running:
        yield running
