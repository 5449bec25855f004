"""Where a line was written: the span, the promotion, and the piece of work for Temporal.

A log record is formatted on the thread, and in the context, in which it was made. So everything
here is read from there, also for lines of libraries that know nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from logging import LogRecord
from typing import Any

from opentelemetry import context as otel_context
from temporalio import activity, workflow

from engine.model.verdict import AttributeValue
from engine.telemetry import names
from engine.telemetry.propagation import TraceContext, from_otel
from engine.telemetry.scope import WorkflowScope
from engine.telemetry.spans import current_scope

Attributes = dict[str, AttributeValue]

_promotion: ContextVar[str] = ContextVar("promotion_engine_log_promotion", default="")


@contextmanager
def about_promotion(promotion_id: str) -> Iterator[None]:
    """Have the lines that are written in the block tell that they are about this promotion."""
    token = _promotion.set(promotion_id)
    try:
        yield
    finally:
        _promotion.reset(token)


def current_span() -> TraceContext | None:
    """The span to which what is written now belongs."""
    scope = _scope()
    if scope is not None:
        return scope.context()
    return from_otel(otel_context.get_current())


def is_projection() -> bool:
    """Whether a history is only being read, so that what its workflow writes was written before."""
    scope = _scope()
    return scope is not None and scope.is_projection


def current_attributes() -> Attributes:
    """The promotion and the Temporal ids of what is done now."""
    scope = _scope()
    if scope is None:
        found: Attributes = {names.PROMOTION_ID: _promotion.get()} if _promotion.get() else {}
    else:
        found = scope.known()
    return {**found, **_temporal()}


def told_attributes(record: LogRecord) -> Attributes:
    """What the Temporal SDK tells in a line that it writes outside of the work it is about."""
    told: Attributes = {}
    for where in ("temporal_workflow", "temporal_activity"):
        details: Any = getattr(record, where, None)
        if isinstance(details, Mapping):
            told.update(
                {
                    name: details[key]
                    for key, name in _TOLD.items()
                    if isinstance(details.get(key), str | int)
                }
            )
    return told


_TOLD = {
    "workflow_id": names.TEMPORAL_WORKFLOW_ID,
    "workflow_run_id": names.TEMPORAL_RUN_ID,
    "run_id": names.TEMPORAL_RUN_ID,
    "workflow_type": names.TEMPORAL_WORKFLOW_TYPE,
    "activity_id": names.TEMPORAL_ACTIVITY_ID,
    "activity_type": names.TEMPORAL_ACTIVITY_TYPE,
    "attempt": names.TEMPORAL_ATTEMPT,
    "task_queue": names.TEMPORAL_TASK_QUEUE,
}


def _scope() -> WorkflowScope | None:
    return current_scope.get(None) if workflow.in_workflow() else None


def _temporal() -> Attributes:
    if activity.in_activity():
        doing = activity.info()
        found: dict[str, AttributeValue | None] = {
            names.TEMPORAL_WORKFLOW_ID: doing.workflow_id,
            names.TEMPORAL_RUN_ID: doing.workflow_run_id,
            names.TEMPORAL_WORKFLOW_TYPE: doing.workflow_type,
            names.TEMPORAL_ACTIVITY_ID: doing.activity_id,
            names.TEMPORAL_ACTIVITY_TYPE: doing.activity_type,
            names.TEMPORAL_ATTEMPT: doing.attempt,
            names.TEMPORAL_TASK_QUEUE: doing.task_queue,
        }
    elif workflow.in_workflow():
        running = workflow.info()
        found = {
            names.TEMPORAL_WORKFLOW_ID: running.workflow_id,
            names.TEMPORAL_RUN_ID: running.run_id,
            names.TEMPORAL_WORKFLOW_TYPE: running.workflow_type,
            names.TEMPORAL_ATTEMPT: running.attempt,
            names.TEMPORAL_TASK_QUEUE: running.task_queue,
        }
    else:
        found = {}
    return {key: value for key, value in found.items() if value is not None}
