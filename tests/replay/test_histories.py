"""Every recorded history is replayed by today's workflows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from engine.converter import DATA_CONVERTER
from engine.projection import project_history
from engine.telemetry.interceptor import TracingInterceptor
from workflows.registry import WORKFLOW_INTERCEPTORS, WORKFLOWS, workflow_runner

HISTORIES = Path(__file__).with_name("histories")
RECORDED = sorted(HISTORIES.glob("*/*/*.json"))


def load(path: Path) -> WorkflowHistory:
    recorded = json.loads(path.read_text())
    return WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])


def replayer() -> Replayer:
    return Replayer(
        workflows=WORKFLOWS,
        data_converter=DATA_CONVERTER,
        interceptors=[TracingInterceptor(), *WORKFLOW_INTERCEPTORS],
        workflow_runner=workflow_runner(),
    )


def test_there_is_a_history_of_each_kind() -> None:
    kinds = {path.parent.name for path in RECORDED}
    assert kinds == {"allowed", "denied", "failed", "cancelled", "retried", "kept", "steps"}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: str(path.relative_to(HISTORIES)))
async def test_recorded_history_replays(path: Path) -> None:
    await replayer().replay_workflow(load(path))


async def test_a_history_of_other_work_does_not_replay() -> None:
    path = next(path for path in RECORDED if path.match("allowed/deployment.execute.json"))
    text = path.read_text().replace("agent.task.pull", "agent.task.push")
    recorded = json.loads(text)
    history = WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])
    result = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert "Nondeterminism" in str(result.replay_failure)


async def test_recorded_histories_tell_one_trace_without_orphans() -> None:
    for kind in {path.parent for path in RECORDED}:
        spans = [
            span
            for path in sorted(kind.glob("*.json"))
            for span in (await project_history(load(path))).spans
        ]
        ids = [span.span_id for span in spans]
        assert len(set(ids)) == len(ids)
        assert {span.parent_span_id for span in spans} - {None} <= set(ids)
        assert all(span.ended_at is not None for span in spans)
