"""A worker and its metrics: none without an endpoint, and no harm whatever the collector does."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import InputError, UnreachableError
from engine.metrics.process import exporting_metrics, measuring
from engine.metrics.provider import LONGEST_SHUTDOWN
from engine.telemetry.export import sink_from_environment
from engine.telemetry.receipts import ReceiptWriter
from tests.harness.metrics_receiver import grpc_metrics_receiver
from tests.harness.system import prepared_system, running_system, until, with_agents
from tests.telemetry.collectors import refusing_endpoint
from tests.telemetry.samples import numbered

THREAD = "OtelPeriodicExportingMetricReader"


def exporting_threads() -> int:
    return sum(thread.name == THREAD for thread in threading.enumerate())


async def test_without_an_endpoint_nothing_is_made(
    tmp_path: Path, temporal_address: str, otel_variables: pytest.MonkeyPatch
) -> None:
    before = exporting_threads()
    async with (
        prepared_system(tmp_path, temporal_address, otel_variables) as system,
        exporting_metrics() as metrics,
        measuring(metrics, system.store, system.client, timedelta(days=30)) as interceptors,
    ):
        assert metrics is None
        assert interceptors == ()
        assert exporting_threads() == before


async def test_a_setting_that_cannot_be_used_is_an_error_before_anything_runs(
    tmp_path: Path, temporal_address: str, otel_variables: pytest.MonkeyPatch
) -> None:
    otel_variables.setenv("OTEL_METRIC_EXPORT_INTERVAL", "sometimes")
    with pytest.raises(InputError, match="OTEL_METRIC_EXPORT_INTERVAL"):
        async with running_system(
            tmp_path, temporal_address, otel_variables, endpoint="http://127.0.0.1:4317"
        ):
            raise AssertionError("it runs")


async def test_a_collector_that_never_answers_disturbs_no_promotion_and_holds_no_end(
    tmp_path: Path, temporal_address: str, otel_variables: pytest.MonkeyPatch
) -> None:
    otel_variables.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
    otel_variables.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "600")
    with grpc_metrics_receiver(answers=False) as receiver:
        async with running_system(
            tmp_path, temporal_address, otel_variables, endpoint=receiver.endpoint
        ) as system:
            await system.apply("environments:\n" + system.environment_yaml("staging", targets=1))
            release = await system.release("1.0.0")
            await until(lambda: receiver.exports > 0, "an export is held up")
            async with with_agents(system, "staging-t1"):
                result = await (await system.start(release, "staging")).result()
                assert result["status"] == "succeeded"
                before = time.monotonic()
        # Agent and worker, one after the other, with what else they end.
        assert time.monotonic() - before < 4 * LONGEST_SHUTDOWN.total_seconds()


async def test_what_the_span_exporter_drops_and_fails_to_deliver_is_counted(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    otel_variables.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
    otel_variables.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "50")
    otel_variables.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
    with grpc_metrics_receiver() as receiver, refusing_endpoint() as refusing:
        otel_variables.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", receiver.endpoint)
        otel_variables.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", refusing)
        async with exporting_metrics() as metrics:
            assert metrics is not None
            sink = sink_from_environment(meters=metrics.meters)
            assert sink is not None
            for span in numbered(500):
                sink.emit(span)
            sink.shutdown()
    dropped = receiver.value("otel.sdk.processor.span.processed", error_type="queue_full")
    failed = sum(
        point.value
        for attributes, points in receiver.series("otel.sdk.exporter.span.exported").items()
        for point in points
        if any(key == "error.type" for key, _ in attributes)
    )
    assert dropped > 0
    assert failed > 0
    assert receiver.units()["otel.sdk.processor.span.queue.size"] == ("level", "{span}")


async def test_who_wants_no_metrics_of_the_exporters_gets_none(
    otel_variables: pytest.MonkeyPatch,
) -> None:
    otel_variables.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "false")
    with grpc_metrics_receiver() as receiver:
        otel_variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        async with exporting_metrics() as metrics:
            assert metrics is not None
            metrics.meter.create_counter("counted").add(1)
            sink = sink_from_environment(meters=metrics.meters)
            assert sink is not None
            sink.shutdown()
    assert receiver.value("counted") == 1
    assert not [name for name in receiver.units() if name.startswith("otel.")]


async def test_receipts_that_cannot_be_written_are_counted() -> None:
    async def refuse(spans: object) -> None:
        raise UnreachableError("the database is away")

    writer = ReceiptWriter(refuse)
    writer([("ab" * 16, "cd" * 8), ("ab" * 16, "ef" * 8)])
    await writer.drain()
    assert writer.lost == 2
