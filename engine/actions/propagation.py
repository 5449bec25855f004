"""The trace context of the work at hand, for what it calls and starts.

Sources: https://www.w3.org/TR/trace-context/,
https://opentelemetry.io/docs/specs/otel/context/env-carriers/
"""

from __future__ import annotations

from opentelemetry.propagate import inject


def trace_headers() -> dict[str, str]:
    """`traceparent`, `tracestate` and `baggage` for an HTTP request; empty outside of any."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers


def trace_variables() -> dict[str, str]:
    """TRACEPARENT, TRACESTATE and BAGGAGE for a process; empty outside of any."""
    return {name.upper(): value for name, value in trace_headers().items()}
