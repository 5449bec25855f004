"""Records the histories that `test_histories.py` replays: `python -m tests.replay.record`.

Beside the histories of a promotion it keeps the spans that a collector got of it while it ran, in
`spans.jsonl`, a line for each.

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
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from engine.model.lock import lock_workflow_id
from engine.model.promotion import PromotionStatus
from engine.model.search_attributes import SEARCH_ATTRIBUTES
from engine.projection import histories
from engine.telemetry import ids
from tests.harness.receiver import Received, grpc_receiver
from tests.harness.retries import obstruct, until_attempt
from tests.harness.system import System, running_system, trivy_report, with_agents
from tests.harness.temporal import temporal_cli

HISTORIES = Path(__file__).with_name("histories")
GATES = (
    "[{type: security}, {type: approval, config: {required: 1, groups: [managers]}}, "
    "{type: freeze_window, config: {windows: [{name: never, timezone: UTC, "
    "start: '2001-01-01T00:00', end: '2001-01-02T00:00'}]}}]"
)

STEPS = """\
    sampling: 1.0
    template:
      name: steps
      nodes:
        - id: made
          type: command
          inputs: {command: [sh, -c, 'echo "{\\"count\\": 3}"'], outputs: json}
          on_rollback:
            type: command
            inputs: {command: [echo, "takes back ${{ nodes.made.outputs.count }}"]}
        - id: never
          type: command
          needs: [made]
          when: nodes.made.outputs.count > 3
          inputs: {command: ["true"]}
        - id: flaky
          type: command
          needs: [never]
          retry: {attempts: 2, interval: 100ms}
          inputs: {command: [sh, -c, test $PROMOTION_STEP_ATTEMPT = 2]}
        - {id: pause, type: wait, needs: [made], inputs: {duration: 100ms}}
        - {id: look, type: wait, needs: [pause], inputs: {advance: {users: [bob]}}}
        - id: halted
          type: command
          needs: [flaky, look]
          halt: 15s
          on_failure: rollback
          inputs: {command: ["false"]}
"""


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
                + system.environment_yaml(
                    "production", gates=GATES, more="    sampling: 1.0\n    order: 1\n"
                )
                + system.environment_yaml("staging")
                + system.environment_yaml("steps", targets=1, more=STEPS)
                + system.environment_yaml("dark", targets=1, more="    sampling: 0.0\n")
            )
            names = {home: "/srv/promote", socket.gethostname(): "host", str(Path.cwd()): "/app"}
            for kind, workflow_id in (await _carry_out(system)).items():
                directory = HISTORIES / version / kind
                await _write(system, workflow_id, directory, names)
                trace_id = ids.trace_id(UUID(workflow_id.removeprefix("promotion/")))
                _write_spans(receiver.of(trace_id), directory / "spans.jsonl", names)
    await server.shutdown()


async def _carry_out(system: System) -> dict[str, str]:
    good = await system.release("1.0.0")
    bad = await system.release("1.1.0", trivy_report(critical=1))
    lost = await system.release("1.2.0", lost=True)
    async with with_agents(
        system, "production-t1", "production-t2", "staging-t1", "staging-t2", "dark-t1"
    ):
        obstacle = obstruct(system, "staging", "t1")
        retried = await system.start(good, "staging")
        await until_attempt(system, retried.id, 2)
        obstacle.unlink()
        await retried.result()
        allowed = await system.start(good, "production")
        await system.until_status(allowed.id, PromotionStatus.AWAITING_APPROVAL)
        await allowed.execute_update("approve", {"user": "bob"})
        await allowed.result()
        denied = await system.start(bad, "production")
        await denied.result()
        failed = await system.start(lost, "staging")
        with pytest.raises(WorkflowFailureError):
            await failed.result()
        kept = await system.start(lost, "dark")
        with pytest.raises(WorkflowFailureError):
            await kept.result()
        cancelled = await system.start(good, "production")
        await system.until_status(cancelled.id, PromotionStatus.AWAITING_APPROVAL)
        await cancelled.execute_update("cancel", {"user": "alice", "reason": "not today"})
        await cancelled.result()
        stepped = await system.start(good, "steps")
        await system.until_status(stepped.id, PromotionStatus.AWAITING_APPROVAL)
        await stepped.execute_update("advance", {"user": "bob", "node": "look"})
        await system.until_status(stepped.id, PromotionStatus.HALTED)
        await stepped.execute_update("retry", {"user": "bob", "node": "halted"})
        with pytest.raises(WorkflowFailureError):
            await stepped.result()
    return {
        "allowed": allowed.id,
        "denied": denied.id,
        "failed": failed.id,
        "cancelled": cancelled.id,
        "retried": retried.id,
        "kept": kept.id,
        "steps": stepped.id,
    }


async def _write(system: System, workflow_id: str, directory: Path, names: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    await system.until_settled(workflow_id)
    recorded_ids = [workflow_id]
    if directory.name == "allowed":
        lock = lock_workflow_id(system.tenant, "production")
        await system.client.get_workflow_handle(lock).result()
        recorded_ids.append(lock)
    if directory.name == "kept":
        recorded_ids.append(f"{workflow_id}/trace")
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


def _write_spans(spans: list[Received], path: Path, names: dict[str, str]) -> None:
    """Write the spans without their resource, which tells of the recording machine only."""
    ordered = sorted(spans, key=lambda span: (span.start, span.span_id))
    lines = [
        json.dumps(_clean({**asdict(span), "resource": {}}, names), sort_keys=True)
        for span in ordered
    ]
    path.write_text("".join(f"{line}\n" for line in lines))


def _clean(value: Any, names: dict[str, str]) -> Any:
    """Replace what only tells where it was recorded, also inside of payloads."""
    if isinstance(value, dict):
        if set(value) == {"metadata", "data"}:
            text = base64.b64decode(value["data"]).decode()
            data = base64.b64encode(_renamed(text, names).encode()).decode()
            return {"metadata": value["metadata"], "data": data}
        return {key: _clean(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, names) for item in value]
    return _renamed(value, names) if isinstance(value, str) else value


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
