"""Records the histories that `test_histories.py` replays: `python -m tests.replay.record`.

Run it when a released workflow has changed in a way that new histories differ, and keep the old
recordings: an open promotion may have been started by any released version.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from engine.model.lock import lock_workflow_id
from engine.model.promotion import PromotionStatus
from engine.model.search_attributes import SEARCH_ATTRIBUTES
from engine.projection import histories
from tests.harness.receiver import grpc_receiver
from tests.harness.system import System, running_system, trivy_report, with_agents
from tests.harness.temporal import temporal_cli

HISTORIES = Path(__file__).with_name("histories")
GATES = (
    "[{type: security}, {type: approval, config: {required: 1, groups: [managers]}}, "
    "{type: freeze_window, config: {windows: [{name: never, timezone: UTC, "
    "start: '2001-01-01T00:00', end: '2001-01-02T00:00'}]}}]"
)


async def record(version: str) -> None:
    """Carry out one promotion of each kind and write its histories."""
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_cli(),
        dev_server_log_level="error",
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES],
    )
    address = server.client.service_client.config.target_host
    with (
        grpc_receiver() as receiver,
        tempfile.TemporaryDirectory() as home,
        pytest.MonkeyPatch.context() as environ,
    ):
        async with running_system(
            Path(home), address, environ, endpoint=receiver.endpoint
        ) as system:
            await system.apply(
                "groups: {managers: [bob, carol]}\nenvironments:\n"
                + system.environment_yaml("production", gates=GATES, more="    sampling: 1.0\n")
                + system.environment_yaml("staging")
            )
            names = {home: "/srv/promote", socket.gethostname(): "host", str(Path.cwd()): "/app"}
            for kind, workflow_id in (await _carry_out(system)).items():
                await _write(system, workflow_id, HISTORIES / version / kind, names)
    await server.shutdown()


async def _carry_out(system: System) -> dict[str, str]:
    good = await system.release("1.0.0")
    bad = await system.release("1.1.0", trivy_report(critical=1))
    lost = await system.release("1.2.0", lost=True)
    async with with_agents(system, "production-t1", "production-t2", "staging-t1", "staging-t2"):
        allowed = await system.start(good, "production")
        await system.until_status(allowed.id, PromotionStatus.AWAITING_APPROVAL)
        await allowed.execute_update("approve", {"user": "bob"})
        await allowed.result()
        denied = await system.start(bad, "production")
        await denied.result()
        failed = await system.start(lost, "staging")
        with pytest.raises(WorkflowFailureError):
            await failed.result()
        cancelled = await system.start(good, "production")
        await system.until_status(cancelled.id, PromotionStatus.AWAITING_APPROVAL)
        await cancelled.execute_update("cancel", {"user": "alice", "reason": "not today"})
        await cancelled.result()
    return {
        "allowed": allowed.id,
        "denied": denied.id,
        "failed": failed.id,
        "cancelled": cancelled.id,
    }


async def _write(system: System, workflow_id: str, directory: Path, names: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    recorded_ids = [workflow_id, f"{workflow_id}/trace"]
    if directory.name == "allowed":
        lock = lock_workflow_id(system.tenant, "production")
        await system.client.get_workflow_handle(lock).result()
        recorded_ids.append(lock)
    await system.client.get_workflow_handle(f"{workflow_id}/trace").result()
    for recorded_id in recorded_ids:
        await _write_histories(system, recorded_id, directory, names)


async def _write_histories(
    system: System, workflow_id: str, directory: Path, names: dict[str, str]
) -> None:
    async for history in histories(system.client, workflow_id):
        started = history.events[0].workflow_execution_started_event_attributes
        path = directory / f"{started.workflow_type.name}.json"
        recorded = {
            "workflow_id": history.workflow_id,
            "history": _clean(json.loads(history.to_json()), names),
        }
        path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


def _clean(value: Any, names: dict[str, str]) -> Any:
    """Replace what only tells where it was recorded, also inside of payloads."""
    if isinstance(value, dict):
        if set(value) == {"metadata", "data"}:
            text = base64.b64decode(value["data"]).decode()
            data = base64.b64encode(_renamed(text, names).encode()).decode()
            return {"metadata": value["metadata"], "data": data}
        return {key: _clean(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, names) for item in value]
    return _renamed(value, names) if isinstance(value, str) else value


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
