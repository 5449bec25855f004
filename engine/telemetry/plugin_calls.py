"""The calls of plugins: each is a span below the one of the work that made it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from pydantic import TypeAdapter, ValidationError
from temporalio.exceptions import ApplicationError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from engine.model.plugin_call import PluginCall
from engine.telemetry import names
from engine.telemetry.failures import root_cause
from engine.telemetry.record import SpanKind
from engine.telemetry.scope import OpenSpan, WorkflowScope

DETAIL = "plugin_calls"
"""The key of the detail of an error or a heartbeat that tells of calls."""

LOST = "CallLostError"
"""The error type of a call whose maker gave no word of its end."""

_CALLS: TypeAdapter[tuple[PluginCall, ...]] = TypeAdapter(tuple[PluginCall, ...])


def told_by(details: Sequence[object]) -> tuple[PluginCall, ...]:
    """The calls that the details of an error or a heartbeat tell of."""
    for detail in details:
        if isinstance(detail, dict) and DETAIL in detail:
            try:
                return _CALLS.validate_python(detail[DETAIL])
            except ValidationError:
                # A worker of another version told it.
                return ()
    return ()


def calls_of(outcome: object) -> tuple[PluginCall, ...]:
    """The calls that an activity made, by its result or the error that it failed with."""
    if not isinstance(outcome, BaseException):
        found = getattr(outcome, DETAIL, ())
        return found if isinstance(found, tuple) else ()
    cause = root_cause(outcome)
    if isinstance(cause, ApplicationError):
        return told_by(cause.details)
    if isinstance(cause, TemporalTimeoutError):
        return told_by(cause.last_heartbeat_details)
    return ()


def add_calls(
    scope: WorkflowScope, work: OpenSpan, calls: Iterable[PluginCall], now: datetime
) -> None:
    """Add the spans of the calls that a piece of work made, below its own span."""
    for call in calls:
        # Whoever made the call has another clock, and a call lies within its work.
        started_at = min(max(call.started_at, work.started_at), now)
        span = scope.below(
            work, names.plugin(call.method), call.identity, started_at, SpanKind.CLIENT
        )
        span.set(
            {
                names.PLUGIN_ID: call.plugin,
                names.PLUGIN_METHOD: call.method,
                names.PLUGIN_DURATION_MS: (call.ended_at - call.started_at)
                / timedelta(milliseconds=1),
                names.PLUGIN_CALL_ID: call.identity,
            }
        )
        if call.offer:
            span.set({names.PLUGIN_OFFER: call.offer})
        if call.failure is not None:
            span.fail(call.failure)
        scope.close(span, at=min(max(call.ended_at, started_at), now))
