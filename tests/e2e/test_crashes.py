"""Processes that die in the middle, and the promotion that goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.config import Settings
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import project
from engine.store.store import Store
from tests.conformance.checker import deviations
from tests.harness.processes import environment, running
from tests.harness.receiver import grpc_receiver
from tests.harness.system import System, prepared_system, until

TARGETS = 4


def switches(system: System) -> dict[str, list[str]]:
    """For each target, the versions that its journal says it was switched to."""
    found = {}
    for journal in system.settings.home.glob("agents/*/*/switches.jsonl"):
        lines = journal.read_text().splitlines()
        found[journal.parent.name] = [json.loads(line)["release"] for line in lines]
    return found


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as prepared:
        await prepared.apply(
            "environments:\n"
            + prepared.environment_yaml(
                "production",
                targets=TARGETS,
                more="    sampling: 1.0\n    strategy: {type: rolling, batch_size: 1}\n",
            )
        )
        yield prepared


@pytest.mark.parametrize("victim", ["worker", "agent"])
async def test_kill_9_in_the_middle_of_a_deployment(
    system: System, temporal_address: str, victim: str
) -> None:
    release = await system.release("1.0.0")
    agents = [f"{system.tenant}-production-t{number}" for number in range(1, TARGETS + 1)]
    agent = ("agent", *(part for one in agents for part in ("--id", one)), "--root")
    agent = (*agent, str(system.settings.home / "agents"))
    with grpc_receiver() as receiver:
        env = environment(
            system.settings.home,
            temporal_address,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_BSP_SCHEDULE_DELAY="100",
        )
        with running("worker", env=env) as worker, running(*agent, env=env) as agents_process:
            handle = await system.start(release, "production")
            await until(lambda: len(switches(system)) >= 1, "the first target was switched")
            (worker if victim == "worker" else agents_process).kill()
            killed_at = len(switches(system))
            assert killed_at < TARGETS
            again = ("worker",) if victim == "worker" else agent
            with running(*again, env=env):
                result = PromotionResult.model_validate(
                    await asyncio.wait_for(handle.result(), 120)
                )
                assert result.status is PromotionStatus.SUCCEEDED
                assert switches(system) == {
                    f"t{number}": [release] for number in range(1, TARGETS + 1)
                }
                spans = (await project(system.client, handle.id)).spans
                await until(
                    lambda: any(
                        span.name == "promotion.request" for span in receiver.of(result.trace_id)
                    ),
                    "the root span was received",
                )
        assert deviations(receiver.of(result.trace_id)) == []
        assert len({span.span_id for span in spans}) == len(spans)
        assert all(span.ended_at is not None for span in spans)
    async with Store.open(Settings(home=system.settings.home).effective_database_url) as store:
        stored = await store.promotions.get(result.promotion_id)
    assert stored.status is PromotionStatus.SUCCEEDED
