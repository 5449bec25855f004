"""Exceptions as `Failure` values: the innermost cause, by the name its raiser gave it."""

from __future__ import annotations

import traceback

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from engine.model.failure import Failure


def root_cause(error: BaseException) -> BaseException:
    """What really broke, below the wrappers that Temporal puts around it."""
    while isinstance(error, ActivityError | ChildWorkflowError) and error.cause is not None:
        error = error.cause
    return error


def detail_of(error: BaseException | None) -> object:
    """What a task's error tells of its attempts: `{"attempt": 2, "attempts": [...]}`, or None.

    An agent that fails a task says so in the error's details. Where it was never heard again, its
    last heartbeat is in the timeout.
    """
    cause = None if error is None else root_cause(error)
    if isinstance(cause, ApplicationError):
        return cause.details[0] if cause.details else None
    if not isinstance(cause, TemporalTimeoutError) or not cause.last_heartbeat_details:
        return None
    attempts = cause.last_heartbeat_details[0]
    if not isinstance(attempts, list) or not attempts or not isinstance(attempts[-1], dict):
        return None
    last = attempts[-1].get("number")
    if not isinstance(last, int):
        return None
    # One that no agent took did not begin; the last to be heard of is the one before it.
    never_began = cause.type is TimeoutType.SCHEDULE_TO_START
    return {"attempt": last + never_began, "attempts": attempts}


def failure_of(error: BaseException) -> Failure:
    """Describe an exception that a workflow caught or raised."""
    cause = root_cause(error)
    return Failure(type=_type(cause), message=_message(cause), stacktrace=_stacktrace(cause))


def _type(error: BaseException) -> str:
    if isinstance(error, ApplicationError) and error.type:
        return error.type
    return type(error).__name__


def _message(error: BaseException) -> str:
    if isinstance(error, TemporalTimeoutError):
        kind = error.type.name.lower().replace("_", " ") if error.type is not None else "some"
        return f"{error.message} ({kind} timeout)"
    text = error.message if isinstance(error, FailureError) else str(error)
    return text or _type(error)


def _stacktrace(error: BaseException) -> str:
    # A failure that came over the wire keeps the trace of the process that raised it.
    if isinstance(error, FailureError) and error.failure is not None:
        return error.failure.stack_trace
    return "".join(traceback.format_exception(type(error), error, error.__traceback__, chain=False))
