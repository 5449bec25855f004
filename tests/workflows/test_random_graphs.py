"""Random templates of waiting and commands, carried out for real and replayed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from engine.model.template import Template
from engine.projection import histories, project
from engine.telemetry.record import SpanRecord
from engine.templates.graph import upstream
from tests.harness.system import System, running_system
from tests.replay.test_histories import replayer

SEEDS = range(5)
FAILED, SKIPPED = "failed", "skipped"


def template(seed: int) -> dict[str, Any]:
    """Eight nodes, of which the first two run side by side in any case."""
    random = Random(seed)
    nodes: list[dict[str, Any]] = []
    for position in range(8):
        earlier = [node["id"] for node in nodes]
        node: dict[str, Any] = {"id": f"n{position}", "type": "wait", "timeout": "1m"}
        node["inputs"] = {"duration": f"{random.randint(400, 700)}ms"}
        if position >= 2:
            node["needs"] = sorted(random.sample(earlier, random.randint(0, min(2, position))))
            fate = random.choice(["runs", "runs", "runs", "skipped", "tolerated", "taken back"])
            if fate == "skipped":
                node["when"] = "promotion.requested_by == 'nobody'"
            if fate == "tolerated":
                node |= {"type": "command", "on_failure": "continue"}
                node["inputs"] = {"command": ["false"]}
            if fate == "taken back":
                node["on_rollback"] = {"type": "command", "inputs": {"command": ["true"]}}
        nodes.append(node)
    if seed % 2:
        nodes[-1] |= {
            "type": "command",
            "on_failure": "rollback",
            "inputs": {"command": ["false"]},
        }
        nodes[-1].pop("when", None)
    random.shuffle(nodes)
    return {"name": f"random-{seed}", "nodes": nodes}


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n"
            + "".join(
                running.environment_yaml(
                    f"e{seed}", targets=1, more=f"    template: {json.dumps(template(seed))}\n"
                )
                for seed in SEEDS
            )
        )
        yield running


async def test_random_graphs_run_in_order_side_by_side_and_the_same_in_a_replay(
    system: System,
) -> None:
    release = await system.release("1.0.0")
    handles = [await system.start(release, f"e{seed}") for seed in SEEDS]
    ends = await asyncio.gather(*(handle.result() for handle in handles), return_exceptions=True)
    assert all(isinstance(end, dict | WorkflowFailureError) for end in ends)
    overlaps = 0
    for seed, handle in zip(SEEDS, handles, strict=True):
        ran = Template.model_validate(template(seed))
        spans = {
            str(span.attributes["step.node_id"]): span
            for span in (await project(system.client, handle.id)).spans
            if span.name.startswith("workflow.step.") and "step.compensates" not in span.attributes
        }
        overlaps += check_order(ran, spans)
        state = await system.promotions.state(handle.id)
        taken_back = [step.node_id for step in state.steps if step.compensates is not None]
        assert taken_back == wanted_back(ran, spans, rolls_back=bool(seed % 2))
        async for history in histories(system.client, handle.id):
            await replayer().replay_workflow(history)
    assert overlaps >= len(SEEDS)


def check_order(ran: Template, spans: dict[str, SpanRecord]) -> int:
    """How many pairs of nodes overlapped, when each started after its needs."""
    for node in ran.nodes:
        for need in node.needs:
            if node.id in spans and need in spans:
                before = spans[need]
                assert before.ended_at is not None
                assert before.ended_at <= spans[node.id].started_at
                tolerated = next(each for each in ran.nodes if each.id == need).on_failure
                assert before.failure is None or tolerated == "continue"
    pairs = 0
    for one, other in combinations(spans, 2):
        if one in upstream(ran, other) or other in upstream(ran, one):
            continue
        first, second = spans[one], spans[other]
        assert first.ended_at is not None
        assert second.ended_at is not None
        pairs += first.started_at < second.ended_at and second.started_at < first.ended_at
    return pairs


def wanted_back(ran: Template, spans: dict[str, SpanRecord], *, rolls_back: bool) -> list[str]:
    """What had succeeded and can be taken back, the last to end first."""
    if not rolls_back:
        return []
    can = {node.id for node in ran.nodes if node.on_rollback is not None}
    ended = {
        node_id: span.ended_at
        for node_id, span in spans.items()
        if node_id in can
        and span.ended_at is not None
        and span.attributes["cicd.pipeline.task.run.result"] == "success"
    }
    return sorted(ended, key=lambda node_id: ended[node_id], reverse=True)
