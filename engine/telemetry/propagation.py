"""W3C trace context and baggage: in from the caller, through Temporal headers, on to agents.

Sources: https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/,
https://opentelemetry.io/docs/specs/otel/context/env-carriers/. An invalid header is ignored, as
they say, and never fails a promotion.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import Field
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from engine.model.base import Value

HEADER = "_tracer-data"
"""The Temporal header of the official tracing interceptors of every SDK: a JSON object."""

_FIELDS = ("traceparent", "tracestate", "baggage")
_PROPAGATOR = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


class TraceContext(Value):
    """Where in a trace something happens.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits; the parent of what is started next.
        trace_state: the W3C `tracestate` header's value, passed on untouched.
        baggage: W3C baggage by key.
    """

    trace_id: str
    span_id: str
    sampled: bool
    trace_state: str = ""
    baggage: dict[str, str] = Field(default_factory=dict)


def from_carrier(carrier: Mapping[str, str]) -> TraceContext | None:
    """Read the context out of W3C headers; None when there is no valid `traceparent`."""
    # Environment variables and JSON can hold lone surrogates, which the propagators trip over.
    readable = {key: value for key, value in carrier.items() if _is_unicode(value)}
    return from_otel(_PROPAGATOR.extract(readable, context=Context()))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def to_carrier(context: TraceContext) -> dict[str, str]:
    """The context as W3C headers."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context=to_otel(context))
    return carrier


def from_otel(context: Context) -> TraceContext | None:
    """Our form of an OpenTelemetry context; None when it holds no valid span context."""
    span_context = otel_trace.get_current_span(context).get_span_context()
    if not span_context.is_valid:
        return None
    return TraceContext(
        trace_id=f"{span_context.trace_id:032x}",
        span_id=f"{span_context.span_id:016x}",
        sampled=bool(span_context.trace_flags.sampled),
        trace_state=span_context.trace_state.to_header(),
        baggage={key: str(value) for key, value in otel_baggage.get_all(context).items() if key},
    )


def to_otel(context: TraceContext) -> Context:
    """The OpenTelemetry context in which the given span is the current one."""
    span_context = otel_trace.SpanContext(
        trace_id=int(context.trace_id, 16),
        span_id=int(context.span_id, 16),
        is_remote=True,
        trace_flags=otel_trace.TraceFlags(int(context.sampled)),
        trace_state=otel_trace.TraceState.from_header([context.trace_state]),
    )
    result = otel_trace.set_span_in_context(otel_trace.NonRecordingSpan(span_context), Context())
    for key, value in context.baggage.items():
        result = otel_baggage.set_baggage(key, value, result)
    return result


def from_headers(headers: Mapping[str, Payload]) -> TraceContext | None:
    """Read the context out of Temporal headers; None when there is none that is valid."""
    payload = headers.get(HEADER)
    if payload is None:
        return None
    try:
        carrier = PayloadConverter.default.from_payload(payload)
    except Exception:
        # Whatever a foreign client put there, a bad header must not fail the promotion.
        return None
    if not isinstance(carrier, dict):
        return None
    return from_carrier(
        {
            str(key).lower(): value
            for key, value in carrier.items()
            if isinstance(value, str) and str(key).lower() in _FIELDS
        }
    )


def with_header(headers: Mapping[str, Payload], context: TraceContext) -> dict[str, Payload]:
    """`headers` with the context added."""
    return {**headers, HEADER: PayloadConverter.default.to_payload(to_carrier(context))}


@contextmanager
def attach_from_environment(environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Make the trace context of the environment variables the current one.

    Reads TRACEPARENT, TRACESTATE and BAGGAGE, as a CI job sets them. Does nothing when they hold
    no valid context, or when a span is current already.
    """
    source = os.environ if environ is None else environ
    carrier = {field: source[field.upper()] for field in _FIELDS if field.upper() in source}
    given = from_carrier(carrier)
    if given is None or otel_trace.get_current_span().get_span_context().is_valid:
        yield
        return
    token = otel_context.attach(to_otel(given))
    try:
        yield
    finally:
        otel_context.detach(token)
