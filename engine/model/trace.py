"""What is kept of a trace until it is known to be at the collector."""

from __future__ import annotations

from uuid import UUID

from engine.model.base import Timestamp, Value


class UnsettledTrace(Value):
    """The sampled trace of a promotion that has ended.

    Attributes:
        run_id: Temporal's id of the workflow's run that ended.
        trace_id: 32 lower-case hexadecimal digits.
    """

    promotion_id: UUID
    workflow_id: str
    run_id: str
    trace_id: str
    ended_at: Timestamp


class TracedRun(Value):
    """All spans of one workflow run that is closed.

    Attributes:
        trace_id: 32 lower-case hexadecimal digits.
        span_ids: 16 lower-case hexadecimal digits each.
        children: the workflow ids of its children that have spans.
    """

    trace_id: str
    workflow_id: str
    span_ids: tuple[str, ...]
    children: tuple[str, ...] = ()
