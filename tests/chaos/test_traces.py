"""Workers and agents die by SIGKILL at random moments, and no span is lost."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import project
from tests.conformance.checker import deviations
from tests.harness.content import content
from tests.harness.processes import Process, environment, running
from tests.harness.receiver import Received, Receiver, grpc_receiver
from tests.harness.system import System, prepared_system
from tests.harness.temporal import file_server

LONG = os.environ.get("PROMOTE_CHAOS", "") == "long"
"""`make chaos`: the full measure. Without it, enough to notice a loss."""

ENVIRONMENTS = 8
PROMOTIONS = 40 if LONG else 10
WORKER_KILLS = 6 if LONG else 2
AGENT_KILLS = 2 if LONG else 1
SEED = 20261124


@asynccontextmanager
async def chaotic_system(
    home: Path, temporal_address: str, environ: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with prepared_system(home, temporal_address, environ) as prepared:
        await prepared.apply(
            "environments:\n"
            + "".join(
                prepared.environment_yaml(f"e{number}", gates="[{type: security}]")
                for number in range(ENVIRONMENTS)
            )
        )
        yield prepared


Disturb = Callable[[], Awaitable[None]]


async def carry_out(
    system: System, stack: ExitStack, endpoint: str, *disturbances: Disturb
) -> list[WorkflowHandle[Any, Any]]:
    """Promotions while processes are killed and the disturbances happen; all of them succeed.

    The worker and the agents run until the stack is closed.
    """
    chance = random.Random(SEED)
    env = environment(
        system.settings.home,
        os.environ["TEMPORAL_ADDRESS"],
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_BSP_SCHEDULE_DELAY="200",
    )
    names = [f"{system.tenant}-e{e}-t{t}" for e in range(ENVIRONMENTS) for t in (1, 2)]
    agent = ("agent", *(part for name in names for part in ("--id", name)))
    agent = (*agent, "--root", str(system.settings.home / "agents"))
    releases = [await system.release(f"1.{number}.0") for number in range(5)]

    def start(*arguments: str) -> Process:
        return stack.enter_context(running(*arguments, env=env))

    worker, agents = start("worker"), start(*agent)

    async def kill_worker() -> None:
        nonlocal worker
        worker.kill()
        worker = await asyncio.to_thread(start, "worker")

    async def kill_agents() -> None:
        nonlocal agents
        agents.kill()
        agents = await asyncio.to_thread(start, *agent)

    handles = [
        await system.start(releases[number // ENVIRONMENTS], f"e{number % ENVIRONMENTS}")
        for number in range(PROMOTIONS)
    ]
    events = [kill_worker] * WORKER_KILLS + [kill_agents] * AGENT_KILLS + list(disturbances)
    chance.shuffle(events)
    for event in events:
        await asyncio.sleep(chance.uniform(0.3, 2.0))
        await event()
    results = await asyncio.gather(*(handle.result() for handle in handles))
    statuses = Counter(PromotionResult.model_validate(one).status for one in results)
    assert statuses == {PromotionStatus.SUCCEEDED: PROMOTIONS}
    return handles


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


def report(capsys: pytest.CaptureFixture[str], what: str, receiver: Receiver, twice: int) -> None:
    with capsys.disabled():
        print(
            f"\n{what}: {PROMOTIONS} promotions, {WORKER_KILLS} workers and {AGENT_KILLS} times "
            f"the agents killed; {len(receiver.spans)} spans received, {twice} of them twice"
        )


@pytest.mark.timeout(600)
async def test_sigkills_lose_no_span(
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with grpc_receiver() as receiver, ExitStack() as stack:
        async with chaotic_system(tmp_path, temporal_address, monkeypatch) as system:
            handles = await carry_out(system, stack, receiver.endpoint)
            await system.until_settled(*(handle.id for handle in handles))
            twice = await assert_whole(system, receiver, handles)
        report(capsys, "collector up", receiver, twice)


@pytest.mark.timeout(600)
async def test_a_collector_that_comes_up_afterwards_gets_every_span(
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with grpc_receiver() as gone:
        endpoint = gone.endpoint
    with ExitStack() as stack:
        async with chaotic_system(tmp_path, temporal_address, monkeypatch) as system:
            handles = await carry_out(system, stack, endpoint)
            with grpc_receiver(port=int(endpoint.rpartition(":")[2])) as receiver:
                await system.until_settled(*(handle.id for handle in handles))
                twice = await assert_whole(system, receiver, handles)
            report(capsys, "collector down all along", receiver, twice)


@pytest.mark.timeout(600)
async def test_a_server_that_is_killed_and_restarted_on_its_file_loses_no_span(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with grpc_receiver() as receiver, ExitStack() as stack:
        server = stack.enter_context(file_server(tmp_path / "temporal.db"))

        async def kill_server() -> None:
            await asyncio.to_thread(server.restart)

        async with chaotic_system(tmp_path, server.address, monkeypatch) as system:
            handles = await carry_out(system, stack, receiver.endpoint, kill_server)
            await system.until_settled(*(handle.id for handle in handles))
            twice = await assert_whole(system, receiver, handles)
        report(capsys, "Temporal server killed once", receiver, twice)
