"""Spans to an OTLP collector, in the background: it never slows or fails a promotion.

Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from opentelemetry import trace as otel_trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

from engine.errors import InputError, UnreachableError
from engine.telemetry import variables
from engine.telemetry.record import SpanRecord
from engine.telemetry.resource import DISTRIBUTION, resource, service_version
from engine.telemetry.trouble import ExportTrouble

SCHEDULE_DELAY_MS = 10_000
BATCH_SIZE = 1024
QUEUE_SIZE = 16_384
LONGEST_FLIGHT = timedelta(minutes=2)

Exported = Callable[[Sequence[tuple[str, str]]], None]
"""Takes the trace and span ids of spans that a collector has taken."""

_SCOPE = InstrumentationScope(DISTRIBUTION, service_version())


class OtlpSink:
    """Queues spans and exports them in batches on a thread of its own.

    Args:
        exporter: where batches go.
        about: the resource of this process.
        exported: told, on the exporting thread, which spans the collector has taken.
        meters: count what the queue drops.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        about: Resource,
        exported: Exported | None = None,
        meters: MeterProvider | None = None,
    ) -> None:
        self._resource = about
        self._in_flight = _InFlight()
        self._exporter = _Telling(exporter, self._in_flight, exported)
        queue, batch = _sizes()
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=queue,
            schedule_delay_millis=schedule_delay().total_seconds() * 1000,
            max_export_batch_size=batch,
            meter_provider=meters,
        )

    def emit(self, span: SpanRecord) -> None:
        """Queue one finished span; a full queue drops its oldest for it."""
        self._in_flight.add(span.span_id)
        self._processor.on_end(to_readable(span, self._resource))

    def in_flight(self, span_ids: Iterable[str]) -> bool:
        """Whether one of these spans is queued or being exported here.

        A span that has been for longer than any export takes was dropped from a full queue.
        """
        return self._in_flight.has_any(span_ids)

    def deliver(self, spans: Sequence[SpanRecord]) -> None:
        """Export spans now, past the queue, and return when the collector has taken them all.

        Raises:
            UnreachableError: it has not.
        """
        for start in range(0, len(spans), BATCH_SIZE):
            batch = spans[start : start + BATCH_SIZE]
            readable = [to_readable(span, self._resource) for span in batch]
            if self._exporter.export(readable) is not SpanExportResult.SUCCESS:
                raise UnreachableError("the collector did not take the spans")

    def shutdown(self) -> None:
        """Export what is queued, and stop; a batch that fails is the last one to be tried."""
        self._exporter.end()
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK left it untyped


class _InFlight:
    """Ids of spans that are queued or being exported."""

    def __init__(self) -> None:
        # From the oldest to the newest, so that forgetting looks at what it forgets only.
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, span_id: str) -> None:
        with self._lock:
            self._forget_lost()
            self._since.pop(span_id, None)
            self._since[span_id] = time.monotonic()

    def remove(self, spans: Sequence[ReadableSpan]) -> None:
        with self._lock:
            for span in spans:
                if span.context is not None:
                    self._since.pop(f"{span.context.span_id:016x}", None)

    def has_any(self, span_ids: Iterable[str]) -> bool:
        with self._lock:
            self._forget_lost()
            return any(span_id in self._since for span_id in span_ids)

    def _forget_lost(self) -> None:
        oldest = time.monotonic() - LONGEST_FLIGHT.total_seconds()
        while self._since:
            span_id, since = next(iter(self._since.items()))
            if since >= oldest:
                return
            del self._since[span_id]


class _Telling(SpanExporter):
    """Tells what its exporter is done with, and what it has delivered."""

    def __init__(
        self, exporter: SpanExporter, in_flight: _InFlight, exported: Exported | None
    ) -> None:
        self._exporter = exporter
        self._in_flight = in_flight
        self._exported = exported
        self._ending = False
        self._given_up = False
        self._trouble = ExportTrouble()

    def end(self) -> None:
        """From now on, give up once the collector does not take a batch.

        A process that is to end must not wait out one timeout for each batch in the queue.
        """
        self._ending = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            if not self._given_up:
                result = self._exporter.export(spans)
            if result is SpanExportResult.SUCCESS and self._exported is not None:
                contexts = [span.context for span in spans]
                self._exported(
                    [
                        (f"{context.trace_id:032x}", f"{context.span_id:016x}")
                        for context in contexts
                        if context is not None
                    ]
                )
        finally:
            if self._ending and result is not SpanExportResult.SUCCESS:
                self._given_up = True
            self._trouble.note(taken=result is SpanExportResult.SUCCESS, spans=len(spans))
            self._in_flight.remove(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def to_readable(span: SpanRecord, about: Resource) -> ReadableSpan:
    """The SDK's form of a finished span."""
    context = _span_context(span.trace_id, span.span_id, span.trace_state, remote=False)
    parent = span.parent_span_id
    events = [
        Event(event.name, dict(event.attributes), _nanoseconds(event.at)) for event in span.events
    ]
    ended_at = span.ended_at or span.started_at
    status = Status(StatusCode.UNSET)
    if span.failure is not None:
        status = Status(StatusCode.ERROR, span.failure.message)
        events.append(
            Event(
                "exception",
                {
                    "exception.type": span.failure.type,
                    "exception.message": span.failure.message,
                    "exception.stacktrace": span.failure.stacktrace,
                },
                _nanoseconds(ended_at),
            )
        )
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=(
            None
            if parent is None
            else _span_context(span.trace_id, parent, span.trace_state, remote=True)
        ),
        resource=about,
        attributes=dict(span.attributes),
        events=events,
        links=[
            otel_trace.Link(
                _span_context(link.trace_id, link.span_id, link.trace_state, remote=True),
                dict(link.attributes),
            )
            for link in span.links
        ],
        kind=otel_trace.SpanKind[span.kind],
        status=status,
        start_time=_nanoseconds(span.started_at),
        end_time=_nanoseconds(ended_at),
        instrumentation_scope=_SCOPE,
    )


def schedule_delay() -> timedelta:
    """How long a finished span waits for others before its batch is exported.

    Raises:
        InputError: OTEL_BSP_SCHEDULE_DELAY is no number of milliseconds.
    """
    return timedelta(
        milliseconds=variables.positive_integer("OTEL_BSP_SCHEDULE_DELAY", SCHEDULE_DELAY_MS)
    )


def sink_from_environment(
    exported: Exported | None = None, meters: MeterProvider | None = None
) -> OtlpSink | None:
    """The exporter that the standard OTEL_* variables ask for; None when they name no endpoint.

    Args:
        exported: see `OtlpSink`.
        meters: count what is dropped, exported and refused, by the semantic conventions
            (https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/).

    Raises:
        InputError: a variable has a value that cannot be used.
    """
    if not variables.endpoint("traces"):
        return None
    # Before the exporter, since it holds a connection.
    _sizes()
    schedule_delay()
    make = _exporter_of(variables.protocol("traces"))
    made = variables.exporter("traces", lambda: make(meter_provider=meters))
    return OtlpSink(made, resource(), exported, meters)


def _exporter_of(protocol: str) -> Callable[..., SpanExporter]:
    # Imported here since each brings a whole network stack, and one is enough.
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
            OTLPSpanExporter as GrpcSpanExporter,
        )

        return GrpcSpanExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
        OTLPSpanExporter as HttpSpanExporter,
    )

    return HttpSpanExporter


def _span_context(
    trace_id: str, span_id: str, trace_state: str, *, remote: bool
) -> otel_trace.SpanContext:
    return otel_trace.SpanContext(
        trace_id=int(trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=remote,
        trace_flags=otel_trace.TraceFlags(otel_trace.TraceFlags.SAMPLED),
        trace_state=otel_trace.TraceState.from_header([trace_state]),
    )


def _nanoseconds(moment: datetime) -> int:
    # In integers: a float of this size has steps of 256 ns.
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * 1_000_000_000 + moment.microsecond * 1_000


def _sizes() -> tuple[int, int]:
    """The sizes of queue and batch, in spans."""
    field = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
    queue = variables.positive_integer("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SIZE)
    batch = variables.positive_integer(field, min(BATCH_SIZE, queue))
    if batch > queue:
        raise InputError(
            field,
            f"a batch of {batch} is larger than the queue of {queue}",
            "raise OTEL_BSP_MAX_QUEUE_SIZE",
        )
    return queue, batch
