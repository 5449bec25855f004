"""A collector that is slow, silent or away costs the promotions nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest

from engine.telemetry.export import QUEUE_SIZE, OtlpSink, sink_from_environment
from engine.telemetry.record import SpanRecord
from tests.harness.system import PATIENCE
from tests.telemetry.collectors import (
    MoodyCollector,
    moody_collector,
    refusing_endpoint,
    silent_endpoint,
)
from tests.telemetry.samples import numbered

QUEUE, BATCH = 2000, 50
Endpoint = Callable[[], AbstractContextManager[str]]


@pytest.fixture(params=["grpc", "http/protobuf"])
def protocol(request: pytest.FixtureRequest, otel_variables: pytest.MonkeyPatch) -> str:
    chosen: str = request.param
    otel_variables.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", chosen)
    return chosen


@contextmanager
def sink_to(variables: pytest.MonkeyPatch, endpoint: str, **more: str) -> Iterator[OtlpSink]:
    variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    for name, value in more.items():
        variables.setenv(name, value)
    sink = sink_from_environment()
    assert sink is not None
    try:
        yield sink
    finally:
        sink.shutdown()


@pytest.fixture
def collector(otel_variables: pytest.MonkeyPatch) -> Iterator[MoodyCollector]:
    otel_variables.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(QUEUE))
    otel_variables.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", str(BATCH))
    with moody_collector() as running:
        yield running


def cost(sink: OtlpSink, spans: Sequence[SpanRecord]) -> float:
    """Processor time of this thread for emitting the spans; other threads do not count."""
    before = time.thread_time()
    for span in spans:
        sink.emit(span)
    return time.thread_time() - before


def test_emitting_goes_on_while_an_export_is_held_up_and_the_queue_stays_bounded(
    collector: MoodyCollector, otel_variables: pytest.MonkeyPatch
) -> None:
    spans = numbered(10_000)
    with sink_to(otel_variables, collector.receiver.endpoint) as sink:
        for span in spans[:BATCH]:
            sink.emit(span)
        assert collector.called.wait(PATIENCE)
        for span in spans[BATCH:]:
            sink.emit(span)
        assert collector.receiver.spans == []
        assert collector.calls == 1
        assert sink.in_flight([spans[0].span_id])
        assert sink.in_flight([spans[-1].span_id])
        collector.open()
        sink.shutdown()
        received = [span.span_id for span in collector.receiver.spans]
        # The batch that was held up, and then the newest of the others.
        kept = spans[:BATCH] + spans[-QUEUE:]
        assert received == [span.span_id for span in kept]


@pytest.mark.parametrize("endpoint", [refusing_endpoint, silent_endpoint])
def test_emitting_into_a_full_queue_is_as_cheap_as_into_an_empty_one(
    endpoint: Endpoint, otel_variables: pytest.MonkeyPatch
) -> None:
    # More than the queue, a batch, and all bookkeeping about them hold.
    spans = numbered(5 * QUEUE_SIZE // 2)
    slices = [spans[at : at + 4000] for at in range(0, len(spans) - 4000, 4000)]
    with (
        endpoint() as address,
        sink_to(otel_variables, address, OTEL_EXPORTER_OTLP_TIMEOUT="1") as sink,
    ):
        costs = [cost(sink, part) for part in slices]
    assert max(costs) < 20 * sorted(costs)[len(costs) // 2]


@pytest.mark.parametrize("endpoint", [refusing_endpoint, silent_endpoint])
def test_shutting_down_does_not_wait_out_a_timeout_for_each_batch(
    protocol: str, endpoint: Endpoint, otel_variables: pytest.MonkeyPatch
) -> None:
    timeout, batches = 1.0, 16
    with (
        endpoint() as address,
        sink_to(otel_variables, address, OTEL_EXPORTER_OTLP_TIMEOUT=str(timeout)) as sink,
    ):
        for span in numbered(QUEUE_SIZE):
            sink.emit(span)
        before = time.monotonic()
        sink.shutdown()
        assert time.monotonic() - before < timeout * batches / 2


def test_at_the_end_a_collector_that_refuses_is_not_asked_for_every_batch(
    collector: MoodyCollector, otel_variables: pytest.MonkeyPatch
) -> None:
    collector.refusing = True
    spans = numbered(QUEUE)
    with sink_to(otel_variables, collector.receiver.endpoint) as sink:
        for span in spans[:BATCH]:
            sink.emit(span)
        assert collector.called.wait(PATIENCE)
        for span in spans[BATCH:]:
            sink.emit(span)
        collector.open()
    # The one that was held up, one at the end, and what may slip in before that has begun.
    assert collector.calls < QUEUE / BATCH / 2
    assert collector.receiver.spans == []
    assert not sink.in_flight(span.span_id for span in spans)


def test_a_refused_batch_does_not_keep_the_next_ones_back(
    collector: MoodyCollector, otel_variables: pytest.MonkeyPatch
) -> None:
    collector.refusing = True
    collector.open()
    spans = numbered(2 * BATCH)
    with sink_to(otel_variables, collector.receiver.endpoint) as sink:
        for span in spans[:BATCH]:
            sink.emit(span)
        deadline = time.monotonic() + PATIENCE
        while sink.in_flight([spans[0].span_id]) and time.monotonic() < deadline:
            time.sleep(0.01)
        collector.refusing = False
        for span in spans[BATCH:]:
            sink.emit(span)
    received = [span.span_id for span in collector.receiver.spans]
    assert received == [span.span_id for span in spans[BATCH:]]


def test_everything_queued_is_exported_at_the_end(
    collector: MoodyCollector, otel_variables: pytest.MonkeyPatch
) -> None:
    collector.open()
    spans = numbered(QUEUE)
    with sink_to(otel_variables, collector.receiver.endpoint) as sink:
        for span in spans:
            sink.emit(span)
    assert len(collector.receiver.spans) == QUEUE
    sink.emit(spans[0])
    assert len(collector.receiver.spans) == QUEUE


def test_a_span_that_fell_out_of_the_queue_is_not_in_flight_for_ever(
    collector: MoodyCollector, otel_variables: pytest.MonkeyPatch
) -> None:
    spans = numbered(BATCH + QUEUE + 1)
    dropped = spans[BATCH]
    with sink_to(otel_variables, collector.receiver.endpoint) as sink:
        for span in spans[:BATCH]:
            sink.emit(span)
        assert collector.called.wait(PATIENCE)
        for span in spans[BATCH:]:
            sink.emit(span)
        assert sink.in_flight([dropped.span_id])
        otel_variables.setattr("engine.telemetry.export.LONGEST_FLIGHT", timedelta(0))
        assert not sink.in_flight([dropped.span_id])
        collector.open()
