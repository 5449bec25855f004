"""Spans to an OTLP collector, in the background: it never slows or fails a promotion.

Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

from engine.errors import InputError
from engine.telemetry.record import SpanRecord
from engine.telemetry.resource import DISTRIBUTION, resource, service_version

SCHEDULE_DELAY_MS = 10_000.0
BATCH_SIZE = 1024
QUEUE_SIZE = 16_384

_SCOPE = InstrumentationScope(DISTRIBUTION, service_version())


class OtlpSink:
    """Queues spans and exports them in batches on a thread of its own.

    Args:
        exporter: where batches go.
        about: the resource of this process.
    """

    def __init__(self, exporter: SpanExporter, about: Resource) -> None:
        self._resource = about
        self._processor = BatchSpanProcessor(
            exporter,
            max_queue_size=_integer("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SIZE),
            schedule_delay_millis=_integer("OTEL_BSP_SCHEDULE_DELAY", int(SCHEDULE_DELAY_MS)),
            max_export_batch_size=_integer("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SIZE),
        )

    def emit(self, span: SpanRecord) -> None:
        """Queue one finished span; drops it when the queue is full."""
        self._processor.on_end(to_readable(span, self._resource))

    def shutdown(self) -> None:
        """Export what is queued, within the exporter's own timeout, and stop."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK left it untyped


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


def sink_from_environment(environ: Mapping[str, str] | None = None) -> OtlpSink | None:
    """The exporter that the standard OTEL_* variables ask for; None when they name no endpoint.

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
    return OtlpSink(_exporter(source), resource(source))


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
