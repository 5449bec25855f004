"""Promotions started and approved by clients that know nothing of this package."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from engine.model.promotion import PromotionResult, PromotionStatus
from tests.harness.system import System, running_system, with_agents
from tests.harness.temporal import temporal_cli

APPROVAL = "[{type: approval, config: {required: 1, users: [bob]}}]"

BARE_CLIENT = """\
import asyncio, json, sys
from temporalio.client import Client

async def main() -> None:
    address, workflow_id, request = sys.argv[1:]
    client = await Client.connect(address)
    handle = await client.start_workflow(
        "promotion.request", json.loads(request), id=workflow_id, task_queue="promotions"
    )
    await handle.execute_update("accepted")
    while (await handle.query("status"))["status"] != "awaiting_approval":
        await asyncio.sleep(0.1)
    await handle.execute_update("approve", {"user": "bob", "comment": "from a bare client"})
    print(json.dumps(await handle.result()))
    ours = {"engine", "workflows", "activities"} & {name.split(".")[0] for name in sys.modules}
    sys.exit(f"imported {ours}" if ours else 0)

asyncio.run(main())
"""


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n" + running.environment_yaml("production", targets=1, gates=APPROVAL)
        )
        async with with_agents(running, "production-t1"):
            yield running


def request(system: System, release: str) -> str:
    return json.dumps(
        {
            "release": release,
            "environment": "production",
            "tenant": system.tenant,
            "requested_by": "alice",
        }
    )


async def run(*command: str, cwd: Path) -> str:
    """Run a command in another directory and return what it printed."""
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_the_plain_temporal_command_starts_and_approves(
    system: System, temporal_address: str, tmp_path: Path
) -> None:
    release = await system.release("1.0.0")
    server = ("--address", temporal_address)
    started = await run(
        temporal_cli(), "workflow", "start", "--type", "promotion.request",
        "--task-queue", "promotions", "--input", request(system, release), "-o", "json", *server,
        cwd=tmp_path,
    )  # fmt: skip
    workflow_id = json.loads(started)["workflowId"]
    state = await system.until_status(workflow_id, PromotionStatus.AWAITING_APPROVAL)
    assert "bob" in state.waiting_for
    await run(
        temporal_cli(), "workflow", "update", "execute", "--workflow-id", workflow_id,
        "--name", "approve", "--input", '{"user": "bob", "comment": "from the command line"}',
        *server, cwd=tmp_path,
    )  # fmt: skip
    shown = await run(
        temporal_cli(), "workflow", "result", "--workflow-id", workflow_id, "-o", "json", *server,
        cwd=tmp_path,
    )  # fmt: skip
    result = PromotionResult.model_validate(json.loads(shown)["result"])
    assert result.status is PromotionStatus.SUCCEEDED
    assert system.running_version("production", "t1") == "version 1.0.0\n"


async def test_a_bare_temporal_client_starts_and_approves(
    system: System, temporal_address: str, tmp_path: Path
) -> None:
    release = await system.release("1.0.0")
    script = tmp_path / "client.py"
    script.write_text(BARE_CLIENT)
    printed = await run(
        sys.executable, "-P", str(script), temporal_address, f"my-own-{uuid4()}",
        request(system, release), cwd=tmp_path,
    )  # fmt: skip
    result = PromotionResult.model_validate(json.loads(printed))
    assert result.status is PromotionStatus.SUCCEEDED
    assert (await system.promotions.state(result.promotion_id)).votes[0].comment == (
        "from a bare client"
    )
