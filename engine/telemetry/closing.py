"""The end of spans whose workflow came to an end that runs no code: terminated, timed out.

What was under way then never ended by itself, so it ends with its workflow, as an error. Attributes
that only an ending work would have set get the values of work that came to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from engine.model.failure import Failure
from engine.model.promotion import PromotionStatus
from engine.model.verdict import AttributeValue, Decision, GateOutcome
from engine.telemetry import names
from engine.telemetry.record import SpanRecord

_CUT_OFF = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "WorkflowTerminatedError",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "WorkflowTimeoutError",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "WorkflowFailedError",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "WorkflowCanceledError",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "WorkflowCompletedError",
}


@dataclass(frozen=True)
class Close:
    """When and how a workflow was closed."""

    at: datetime
    failure: Failure


def close_of(history: WorkflowHistory) -> Close | None:
    """How the workflow was closed, or None while it is open."""
    last = history.events[-1]
    kind = _CUT_OFF.get(last.event_type)
    if kind is None:
        return None
    reason = last.workflow_execution_terminated_event_attributes.reason
    message = "the workflow ended before this work did" + (f": {reason}" if reason else "")
    return Close(
        at=last.event_time.ToDatetime(tzinfo=UTC),
        failure=Failure(type=kind, message=message),
    )


def cut_off(span: SpanRecord, close: Close) -> SpanRecord:
    """The open `span` as it ended with its workflow."""
    missing: dict[str, AttributeValue] = {}
    if span.name.startswith("gate."):
        missing[names.GATE_RESULT] = GateOutcome.SKIPPED.value
        gate_type = str(span.attributes.get(names.GATE_TYPE, ""))
        missing.update(names.GATE_DEFAULTS.get(gate_type, {}))
    if span.name in (names.PROMOTION_REQUEST, names.EVALUATE_GATES):
        missing[names.PROMOTION_DECISION] = Decision.DENY.value
    if span.name == names.PROMOTION_REQUEST:
        missing[names.PROMOTION_STATUS] = PromotionStatus.ERRORED.value
    return span.model_copy(
        update={
            "ended_at": max(close.at, span.started_at),
            "failure": close.failure,
            "attributes": {
                **missing,
                **span.attributes,
                names.ERROR: True,
                names.ERROR_TYPE: close.failure.type,
            },
        }
    )
