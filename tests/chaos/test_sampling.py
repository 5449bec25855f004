"""Whole traces of a tenth of what goes well, and of everything that fails."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle

from engine.projection import project
from engine.telemetry import ids
from engine.telemetry.sampling import PRODUCTION_RATE, is_sampled
from tests.conformance.checker import deviations
from tests.harness.receiver import grpc_receiver
from tests.harness.system import System, running_system, until, with_agents

LONG = os.environ.get("PROMOTE_CHAOS", "") == "long"
PROMOTIONS = 200 if LONG else 40
FAILING = 20 if LONG else 4
ENVIRONMENTS = 8


async def start(system: System, release: str, environment: str, promotion: UUID) -> Any:
    return await system.client.start_workflow(
        "promotion.request",
        {
            "release": release,
            "environment": environment,
            "tenant": system.tenant,
            "requested_by": "alice",
        },
        id=f"promotion/{promotion}",
        task_queue="promotions",
    )


async def ended(handle: WorkflowHandle[Any, Any]) -> None:
    try:
        await handle.result()
    except WorkflowFailureError:
        return


@pytest.mark.timeout(600)
async def test_a_tenth_of_the_successful_and_all_of_the_failed_arrive_whole(
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [f"e{number}" for number in range(ENVIRONMENTS)]
    with grpc_receiver() as receiver:
        async with running_system(
            tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
        ) as system:
            # The rate of production, in several environments, since one deploys one after another.
            await system.apply(
                "environments:\n"
                + "".join(
                    system.environment_yaml(
                        name, targets=1, more=f"    sampling: {PRODUCTION_RATE}\n"
                    )
                    for name in names
                )
            )
            good = await system.release("1.0.0")
            lost = await system.release("1.1.0", lost=True)
            promotions = [uuid5(NAMESPACE_URL, f"sampling/{n}") for n in range(PROMOTIONS)]
            failing = set(promotions[:: PROMOTIONS // FAILING])
            async with with_agents(system, *(f"{name}-t1" for name in names)):
                handles = [
                    await start(
                        system,
                        lost if promotion in failing else good,
                        names[number % len(names)],
                        promotion,
                    )
                    for number, promotion in enumerate(promotions)
                ]
                await asyncio.gather(*(ended(handle) for handle in handles))
            traces = {promotion: ids.trace_id(promotion) for promotion in promotions}
            sampled = {
                promotion
                for promotion in promotions
                if is_sampled(traces[promotion], None, PRODUCTION_RATE)
            }
            await system.until_settled(*(f"promotion/{promotion}" for promotion in promotions))

            def arrived() -> set[UUID]:
                return {promotion for promotion in promotions if receiver.of(traces[promotion])}

            await until(lambda: arrived() >= sampled | failing, "the traces were received")
            assert arrived() == sampled | failing
            for promotion in sampled | failing:
                spans = receiver.of(traces[promotion])
                told = (await project(system.client, f"promotion/{promotion}")).spans
                assert {span.span_id for span in spans} == {span.span_id for span in told}
                assert deviations(spans) == []
                root = next(span for span in spans if span.name == "promotion.request")
                kept = promotion in failing and promotion not in sampled
                assert root.attributes.get("sampling.kept_for") == ("error" if kept else None)
    with capsys.disabled():
        print(
            f"\n{PROMOTIONS} promotions at {PRODUCTION_RATE:.0%}: whole traces of "
            f"{len(sampled - failing)} of {PROMOTIONS - FAILING} that went well and of "
            f"{len(failing)} of {FAILING} that failed, none in part"
        )
