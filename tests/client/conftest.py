from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from engine.model.search_attributes import SEARCH_ATTRIBUTES
from tests.harness.system import System, running_system, with_agents
from tests.harness.temporal import temporal_cli


@pytest.fixture(scope="module")
async def system(
    tmp_path_factory: pytest.TempPathFactory, temporal_address: str
) -> AsyncIterator[System]:
    """Worker and agents for the tests of one module; `free` has no gates, `gated` an approval."""
    with pytest.MonkeyPatch.context() as environ:
        home: Path = tmp_path_factory.mktemp("system")
        async with running_system(home, temporal_address, environ) as running:
            await running.apply(
                "groups: {managers: [bob, carol]}\nenvironments:\n"
                + running.environment_yaml("free", targets=1)
                + running.environment_yaml(
                    "gated",
                    targets=1,
                    gates="[{type: approval, config: {required: 1, groups: [managers]}}]",
                )
                + running.environment_yaml(
                    "scanned", targets=1, gates="[{type: security, config: {max_critical: 0}}]"
                )
            )
            async with with_agents(running, "free-t1", "gated-t1", "scanned-t1"):
                yield running


@pytest.fixture
async def fresh_server() -> AsyncIterator[WorkflowEnvironment]:
    """A server of the test's own, which no worker has polled yet."""
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_cli(),
        dev_server_log_level="error",
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES],
    )
    try:
        yield server
    finally:
        await server.shutdown()
