"""The attempts of a retried task or step that failed: each is a span of its own beside its work's.

The work's span lasts from its scheduling to its end, all attempts and the waits between them
included, and stands for the last attempt. An attempt is linked to the one before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from engine.model.agent_task import TaskAttempt, TaskReport
from engine.model.failure import Failure
from engine.model.verdict import AttributeValue
from engine.telemetry import names
from engine.telemetry.scope import OpenSpan, WorkflowScope

LOST = "AttemptLostError"
"""The error type of an attempt whose agent gave no word of its end."""

_ATTEMPTS: TypeAdapter[tuple[TaskAttempt, ...]] = TypeAdapter(tuple[TaskAttempt, ...])


def earlier_attempts(told: object) -> tuple[TaskAttempt, ...]:
    """The attempts before the last one.

    Args:
        told: the report of a task, or the detail of the error that it failed with; see
            `engine.telemetry.failures.detail_of`.
    """
    if isinstance(told, TaskReport):
        return told.earlier
    if not isinstance(told, dict):
        return ()
    return tuple(attempt for attempt in _attempts(told) if attempt.number != told.get("attempt"))


def last_attempt(detail: dict[str, object]) -> TaskAttempt | None:
    """The attempt with which a task failed, as the error's detail tells it."""
    number = detail.get("attempt")
    return next((attempt for attempt in _attempts(detail) if attempt.number == number), None)


def _attempts(detail: dict[str, object]) -> tuple[TaskAttempt, ...]:
    try:
        return _ATTEMPTS.validate_python(detail.get("attempts", ()))
    except ValidationError:
        # An agent of another version told it.
        return ()


def add_attempts(
    scope: WorkflowScope,
    task: OpenSpan,
    identity: str,
    attempts: Sequence[TaskAttempt],
    now: datetime,
) -> None:
    """Add the spans of a task's earlier attempts, and link the task's span to the last of them.

    Args:
        identity: that of the task's own span; an attempt's is `<identity>/attempt/<number>`.
    """
    before: OpenSpan | None = None
    for attempt in attempts:
        # The agent's clock is another one, and an attempt lies within its task.
        started_at = min(max(attempt.started_at, task.started_at), now)
        before = add_attempt(
            scope,
            task,
            f"{identity}/attempt/{attempt.number}",
            started_at,
            min(attempt.ended_at, now),
            {**attempt.calls, names.TASK_ATTEMPT: attempt.number},
            attempt.failure or _lost(attempt),
            before,
        )
    if before is not None:
        scope.link(task, names.PREVIOUS_ATTEMPT, before.span_id)


def add_attempt(
    scope: WorkflowScope,
    work: OpenSpan,
    identity: str,
    started_at: datetime,
    ended_at: datetime,
    attributes: Mapping[str, AttributeValue],
    failure: Failure,
    before: OpenSpan | None,
) -> OpenSpan:
    """Add the span of one attempt that failed, beside the open span of the work itself.

    Args:
        attributes: beside those of `work`.
        before: the span of the attempt before it.
    """
    span = scope.beside(work, identity, started_at)
    span.set(attributes)
    span.fail(failure)
    if before is not None:
        scope.link(span, names.PREVIOUS_ATTEMPT, before.span_id)
    scope.close(span, at=ended_at)
    return span


def _lost(attempt: TaskAttempt) -> Failure:
    return Failure(
        type=LOST,
        message=f"the agent gave no word of its end; its last sign of life: {attempt.ended_at}",
    )
