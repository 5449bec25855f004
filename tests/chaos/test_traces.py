"""Workers and agents die by SIGKILL at random moments, and no span is lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from activities.trace import Settlement
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import project
from tests.conformance.checker import deviations
from tests.harness.processes import Process, environment, running
from tests.harness.receiver import Received, Receiver, grpc_receiver
from tests.harness.system import System, prepared_system

ENVIRONMENTS = 8
PROMOTIONS = 40
WORKER_KILLS = 6
AGENT_KILLS = 2
SEED = 20261124


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as prepared:
        await prepared.apply(
            "environments:\n"
            + "".join(
                prepared.environment_yaml(f"e{number}", gates="[{type: security}]")
                for number in range(ENVIRONMENTS)
            )
        )
        yield prepared


async def carry_out(
    system: System, temporal_address: str, endpoint: str
) -> list[WorkflowHandle[Any, Any]]:
    """Forty promotions while processes are killed; all of them come to their end."""
    chance = random.Random(SEED)
    env = environment(
        system.settings.home,
        temporal_address,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_BSP_SCHEDULE_DELAY="200",
    )
    names = [f"{system.tenant}-e{e}-t{t}" for e in range(ENVIRONMENTS) for t in (1, 2)]
    agent = ("agent", *(part for name in names for part in ("--id", name)))
    agent = (*agent, "--root", str(system.settings.home / "agents"))
    releases = [await system.release(f"1.{number}.0") for number in range(5)]
    with ExitStack() as stack:

        def start(*arguments: str) -> Process:
            return stack.enter_context(running(*arguments, env=env))

        worker, agents = start("worker"), start(*agent)
        handles = [
            await system.start(releases[number // ENVIRONMENTS], f"e{number % ENVIRONMENTS}")
            for number in range(PROMOTIONS)
        ]
        victims = ["worker"] * WORKER_KILLS + ["agent"] * AGENT_KILLS
        chance.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(chance.uniform(0.3, 2.0))
            if victim == "worker":
                worker.kill()
                worker = await asyncio.to_thread(start, "worker")
            else:
                agents.kill()
                agents = await asyncio.to_thread(start, *agent)
        results = await asyncio.gather(*(handle.result() for handle in handles))
        statuses = Counter(PromotionResult.model_validate(one).status for one in results)
        assert statuses == {PromotionStatus.SUCCEEDED: PROMOTIONS}
        settlements = [
            system.client.get_workflow_handle(f"{handle.id}/trace") for handle in handles
        ]
        for settlement in settlements:
            Settlement.model_validate(await settlement.result())
    return handles


def content(span: Received) -> str:
    return repr((span.name, span.parent_span_id, span.start, span.end, span.attributes))


async def assert_whole(
    system: System, receiver: Receiver, handles: list[WorkflowHandle[Any, Any]]
) -> int:
    """Every span of every promotion has come; returns how many came more than once."""
    twice = 0
    for handle in handles:
        expected = (await project(system.client, handle.id)).spans
        received = receiver.of(expected[0].trace_id)
        by_id: dict[str, list[Received]] = {}
        for span in received:
            by_id.setdefault(span.span_id, []).append(span)
        assert by_id.keys() == {span.span_id for span in expected}
        for spans in by_id.values():
            assert len({content(span) for span in spans}) == 1, spans
            assert len(spans) <= 2
            twice += len(spans) - 1
        assert deviations([spans[0] for spans in by_id.values()]) == []
    return twice


@pytest.mark.timeout(600)
async def test_sigkills_lose_no_span(
    system: System, temporal_address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with grpc_receiver() as receiver:
        handles = await carry_out(system, temporal_address, receiver.endpoint)
        twice = await assert_whole(system, receiver, handles)
        with capsys.disabled():
            print(
                f"\n{PROMOTIONS} promotions, {WORKER_KILLS} workers and {AGENT_KILLS} agents "
                f"killed: {len(receiver.spans)} spans received, {twice} of them twice"
            )
