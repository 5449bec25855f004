"""A span as data: what is exported, drawn, and held against the specification."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from engine.model.base import Timestamp, Value
from engine.model.failure import Failure
from engine.model.verdict import AttributeValue


class SpanKind(StrEnum):
    """The kinds in use here (https://opentelemetry.io/docs/specs/otel/trace/api/#spankind)."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"


class SpanEvent(Value):
    """Something that happened during a span."""

    name: str
    at: Timestamp
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)


class SpanLink(Value):
    """A span that this one is related to without being its child.

    Source: https://opentelemetry.io/docs/specs/otel/overview/#links-between-spans

    Attributes:
        trace_id: of the other span, whose trace may be another one.
        trace_state: of its trace; empty where it is not known.
        attributes: what the relation is, in `promotion.link`, and between what.
    """

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)


class SpanRecord(Value):
    """One span.

    Attributes:
        trace_id: 32 lower-case hexadecimal digits.
        span_id, parent_span_id: 16 lower-case hexadecimal digits; no parent for a root.
        ended_at: None while the work goes on.
        failure: present exactly when the operation failed; becomes status ERROR and the
            `exception` event.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    trace_state: str = ""
    name: str
    kind: SpanKind = SpanKind.INTERNAL
    started_at: Timestamp
    ended_at: Timestamp | None = None
    attributes: dict[str, AttributeValue] = Field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    failure: Failure | None = None
