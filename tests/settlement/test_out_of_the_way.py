"""A collector that is away or says nothing changes no promotion, and gets everything afterwards."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import project
from engine.telemetry.export import OtlpSink, sink_from_environment
from tests.conformance.checker import deviations
from tests.harness.content import contents
from tests.harness.receiver import grpc_receiver
from tests.harness.system import System, running_system, trivy_report, with_agents
from tests.telemetry.collectors import refusing_endpoint, silent_endpoint

ENVIRONMENTS = ("e1", "e2", "e3")
QUEUE = 16
"""Spans; far fewer than the promotions have, so that the queue overflows."""

EXPECTED = Counter(
    {PromotionStatus.SUCCEEDED: 3, PromotionStatus.FAILED: 3, PromotionStatus.DENIED: 3}
)
SLOWER = 3.0
"""How many times as long promotions may take without them being held up: machines have moods. One
export that is waited for takes longer than all of the promotions together."""


@dataclass
class Carried:
    handles: list[WorkflowHandle[Any, Any]]
    outcomes: Counter[PromotionStatus]
    seconds: float


async def carry_out(system: System, run: int) -> Carried:
    """Promotions of each outcome, side by side."""
    releases = [
        await system.release(f"{run}.0.0"),
        await system.release(f"{run}.1.0", lost=True),
        await system.release(f"{run}.2.0", trivy_report(critical=1)),
    ]
    start = time.monotonic()
    async with with_agents(system, *(f"{name}-t1" for name in ENVIRONMENTS)):
        handles = [
            await system.start(release, environment)
            for environment in ENVIRONMENTS
            for release in releases
        ]
        outcomes = Counter([await outcome(handle) for handle in handles])
        return Carried(handles, outcomes, time.monotonic() - start)


async def outcome(handle: WorkflowHandle[Any, Any]) -> PromotionStatus:
    try:
        given = await handle.result()
    except WorkflowFailureError as error:
        given = error.cause.details[0] if isinstance(error.cause, ApplicationError) else None
    return PromotionResult.model_validate(given).status


async def prepare(system: System) -> None:
    await system.apply(
        "environments:\n"
        + "".join(
            system.environment_yaml(name, targets=1, gates="[{type: security}]")
            for name in ENVIRONMENTS
        )
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "endpoint", [silent_endpoint, refusing_endpoint], ids=["never answers", "refuses"]
)
async def test_promotions_go_on_as_without_and_the_spans_come_later(
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
    endpoint: Callable[[], AbstractContextManager[str]],
) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "with").mkdir()
    async with running_system(tmp_path / "without", temporal_address, monkeypatch) as system:
        await prepare(system)
        without = await carry_out(system, 1)
    assert without.outcomes == EXPECTED

    sinks: list[OtlpSink] = []

    def watched(*arguments: Any, **options: Any) -> OtlpSink | None:
        sink = sink_from_environment(*arguments, **options)
        assert sink is not None
        sinks.append(sink)
        return sink

    monkeypatch.setattr("engine.worker.sink_from_environment", watched)
    # Settlement takes a span that was dropped to be under way for so long.
    monkeypatch.setattr("engine.telemetry.export.LONGEST_FLIGHT", timedelta(seconds=20))
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(QUEUE))
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(QUEUE // 2))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    with ExitStack() as collector:
        url = collector.enter_context(endpoint())
        async with running_system(
            tmp_path / "with", temporal_address, monkeypatch, endpoint=url
        ) as system:
            await prepare(system)
            away = await carry_out(system, 2)
            (sink,) = sinks
            told = [(await project(system.client, handle.id)).spans for handle in away.handles]
            assert sum(map(len, told)) > 4 * QUEUE
            assert queued(sink) <= QUEUE
            assert away.outcomes == without.outcomes
            assert away.seconds < SLOWER * without.seconds

            collector.close()
            with grpc_receiver(port=int(url.rpartition(":")[2])) as receiver:
                for handle, spans in zip(away.handles, told, strict=True):
                    await system.until_settled(handle.id)
                    received = receiver.of(spans[0].trace_id)
                    assert contents(received) == contents(spans)
                    assert deviations(received) == []


def queued(sink: OtlpSink) -> int:
    # The SDK shows its queue to nobody.
    return len(sink._processor._batch_processor._queue)
