"""Spans to an OTLP collector, in the background: it never slows or fails a promotion.

Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

from engine.errors import InputError, UnreachableError
from engine.telemetry.record import SpanRecord
from engine.telemetry.resource import DISTRIBUTION, resource, service_version

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
    """

    def __init__(
        self, exporter: SpanExporter, about: Resource, exported: Exported | None = None
    ) -> None:
        self._resource = about
        self._in_flight: dict[str, float] = {}
        self._exporter = _Telling(exporter, self._landed, exported)
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=_integer("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SIZE),
            schedule_delay_millis=schedule_delay().total_seconds() * 1000,
            max_export_batch_size=_integer("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE),
        )

    def emit(self, span: SpanRecord) -> None:
        """Queue one finished span; drops it when the queue is full."""
        if len(self._in_flight) > 2 * QUEUE_SIZE:
            self._forget_lost()
        self._in_flight[span.span_id] = time.monotonic()
        self._processor.on_end(to_readable(span, self._resource))

    def in_flight(self, span_ids: Iterable[str]) -> bool:
        """Whether one of these spans is queued or being exported here.

        A span that has been for longer than any export takes was dropped from a full queue.
        """
        self._forget_lost()
        return any(span_id in self._in_flight for span_id in span_ids)

    def _forget_lost(self) -> None:
        oldest = time.monotonic() - LONGEST_FLIGHT.total_seconds()
        for span_id, since in list(self._in_flight.items()):
            if since < oldest:
                self._in_flight.pop(span_id, None)

    def _landed(self, spans: Sequence[ReadableSpan]) -> None:
        for span in spans:
            if span.context is not None:
                self._in_flight.pop(f"{span.context.span_id:016x}", None)

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
        """Export what is queued, within the exporter's own timeout, and stop."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK left it untyped


class _Telling(SpanExporter):
    """Tells what its exporter is done with, and what it has delivered."""

    def __init__(
        self,
        exporter: SpanExporter,
        landed: Callable[[Sequence[ReadableSpan]], None],
        exported: Exported | None,
    ) -> None:
        self._exporter = exporter
        self._landed = landed
        self._exported = exported

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
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
            self._landed(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def to_readable(span: SpanRecord, about: Resource) -> ReadableSpan:
    """The SDK's form of a finished span."""
    context = _span_context(span, span.span_id, remote=False)
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
        parent=None if parent is None else _span_context(span, parent, remote=True),
        resource=about,
        attributes=dict(span.attributes),
        events=events,
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
    return timedelta(milliseconds=_integer("OTEL_BSP_SCHEDULE_DELAY", SCHEDULE_DELAY_MS))


def sink_from_environment(
    environ: Mapping[str, str] | None = None, exported: Exported | None = None
) -> OtlpSink | None:
    """The exporter that the standard OTEL_* variables ask for; None when they name no endpoint.

    Args:
        exported: see `OtlpSink`.

    Raises:
        InputError: a variable has a value that cannot be used.
    """
    source = os.environ if environ is None else environ
    if source.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if source.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    if not any(
        source.get(name, "").strip()
        for name in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    ):
        return None
    return OtlpSink(_exporter(source), resource(source), exported)


def _exporter(source: Mapping[str, str]) -> SpanExporter:
    field = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
    if not source.get(field, "").strip():
        field = "OTEL_EXPORTER_OTLP_PROTOCOL"
    protocol = source.get(field, "").strip() or "grpc"
    # Imported here since each brings a whole network stack, and one is enough.
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
            OTLPSpanExporter as GrpcSpanExporter,
        )

        return GrpcSpanExporter()
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter as HttpSpanExporter,
        )

        return HttpSpanExporter()
    raise InputError(field, f"no protocol called {protocol!r}", "use grpc or http/protobuf")


def _span_context(span: SpanRecord, span_id: str, *, remote: bool) -> otel_trace.SpanContext:
    return otel_trace.SpanContext(
        trace_id=int(span.trace_id, 16),
        span_id=int(span_id, 16),
        is_remote=remote,
        trace_flags=otel_trace.TraceFlags(otel_trace.TraceFlags.SAMPLED),
        trace_state=otel_trace.TraceState.from_header([span.trace_state]),
    )


def _nanoseconds(moment: datetime) -> int:
    # In integers: a float of this size has steps of 256 ns.
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * 1_000_000_000 + moment.microsecond * 1_000


def _integer(variable: str, default: int) -> int:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number <= 0:
        raise InputError(variable, f"{text!r} is no positive whole number")
    return number
