"""The events that are logged: their names, and how a log call tells one.

A name stands for one kind of line and does not change; the text beside it is for people. Source:
https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-eventname.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.model.verdict import AttributeValue

PROCESS_READY: Final = "process.ready"
PROCESS_STOPPING: Final = "process.stopping"
PROMOTION_REQUESTED: Final = "promotion.requested"
PROMOTION_REFUSED: Final = "promotion.refused"
PROMOTION_VOTED: Final = "promotion.voted"
PROMOTION_VOTE_WITHDRAWN: Final = "promotion.vote_withdrawn"
PROMOTION_DECIDED: Final = "promotion.decided"
PROMOTION_CANCELLING: Final = "promotion.cancelling"
PROMOTION_ENDED: Final = "promotion.ended"
GATE_WAITING: Final = "gate.waiting"
GATE_DECIDED: Final = "gate.decided"
GATE_OVERRIDDEN: Final = "gate.overridden"
FREEZE_WAITING: Final = "freeze.waiting"
FREEZE_OVER: Final = "freeze.over"
APPROVAL_REMINDER: Final = "approval.reminder"
APPROVAL_REMINDER_LOST: Final = "approval.reminder_lost"
LOCK_WAITING: Final = "environment.lock.waiting"
LOCK_GRANTED: Final = "environment.lock.granted"
LOCK_SUPERSEDED: Final = "environment.lock.superseded"
AUTO_PROMOTION_STARTED: Final = "auto_promotion.started"
LOCK_RECLAIMED: Final = "environment.lock.reclaimed"
STEP_STARTED: Final = "step.started"
STEP_WAITING: Final = "step.waiting"
STEP_ENDED: Final = "step.ended"
STEP_ATTEMPT_FAILED: Final = "step.attempt_failed"
STEP_HALTED: Final = "step.halted"
STEP_RETRIED: Final = "step.retried"
STEP_ADVANCED: Final = "step.advanced"
DEPLOYMENT_STARTED: Final = "deployment.started"
DEPLOYMENT_BATCH: Final = "deployment.batch_started"
DEPLOYMENT_ENDED: Final = "deployment.ended"
TASK_STARTED: Final = "agent.task.started"
TASK_ENDED: Final = "agent.task.ended"
EVIDENCE_SIGNED: Final = "evidence.signed"
TRACE_SETTLED: Final = "trace.settled"
ACTIVITY_FAILED: Final = "activity.failed"
EXPORT_FAILING: Final = "telemetry.export.failing"
EXPORT_RECOVERED: Final = "telemetry.export.recovered"

STEP_TYPE: Final = "step.type"
STEP_STATUS: Final = "step.status"
APPROVAL_DECISION: Final = "approval.decision"
APPROVAL_WAITING_FOR: Final = "approval.waiting_for"
TASK_CHANGED: Final = "task.changed"
SETTLED_EXPECTED: Final = "trace.spans.expected"
SETTLED_DELIVERED: Final = "trace.spans.delivered"
"""Attributes that no span has."""

EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
"""https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/"""


def event(
    name: str,
    attributes: Mapping[str, AttributeValue | None] | None = None,
    *,
    once_a_minute: str = "",
) -> dict[str, Any]:
    """The `extra` of a log call that tells an event.

    Args:
        name: one of the names above.
        attributes: what it was about, by attribute name; None values are left out. `trace_id` and
            `span_id` among them are for a line about a span that is not the current one.
        once_a_minute: a key; of the lines with the same one, at most one a minute is written.
    """
    return {
        "event_name": name,
        "event_attributes": {
            key: value for key, value in (attributes or {}).items() if value is not None
        },
        "once_a_minute": once_a_minute,
    }
