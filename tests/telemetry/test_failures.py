from __future__ import annotations

from typing import Any

import pytest
from temporalio.api.failure.v1 import Failure as FailureProto
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    RetryState,
    ServerError,
    TerminatedError,
    TimeoutType,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from engine.errors import DigestMismatchError, InputError
from engine.telemetry.failures import failure_of, root_cause


def activity_error(cause: BaseException | None) -> ActivityError:
    error = ActivityError(
        "Activity task failed",
        scheduled_event_id=5,
        started_event_id=6,
        identity="worker",
        activity_type="agent.task.pull",
        activity_id="1",
        retry_state=RetryState.NON_RETRYABLE_FAILURE,
    )
    error.__cause__ = cause
    return error


def child_error(cause: BaseException | None) -> ChildWorkflowError:
    error = ChildWorkflowError(
        "Child Workflow execution failed",
        namespace="default",
        workflow_id="promotion/x/workflow",
        run_id="r",
        workflow_type="workflow.execute",
        initiated_event_id=5,
        started_event_id=6,
        retry_state=None,
    )
    error.__cause__ = cause
    return error


def throw(error: BaseException) -> None:
    raise error


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        throw(error)
    return caught.value


def over_the_wire(error: FailureError) -> BaseException:
    """The error as a workflow gets it: through the SDK's own failure converter."""
    proto = FailureProto()
    converter, payloads = DefaultFailureConverter(), PayloadConverter.default
    converter.to_failure(error, payloads, proto)
    return converter.from_failure(FailureProto.FromString(proto.SerializeToString()), payloads)


INNERMOST: dict[str, tuple[BaseException, str, str]] = {
    "typed application error": (
        ApplicationError("not the named bytes", type="DigestMismatchError"),
        "DigestMismatchError",
        "not the named bytes",
    ),
    "untyped application error": (ApplicationError("broken"), "ApplicationError", "broken"),
    "application error without a message": (
        ApplicationError("", type="GateError"),
        "GateError",
        "GateError",
    ),
    "cancellation": (CancelledError("Cancelled"), "CancelledError", "Cancelled"),
    "termination": (TerminatedError("by hand"), "TerminatedError", "by hand"),
    "server error": (ServerError("overloaded"), "ServerError", "overloaded"),
    "our own": (DigestMismatchError("got other bytes"), "DigestMismatchError", "got other bytes"),
    "input error": (InputError("f", "is wrong", "do x"), "InputError", "f: is wrong; do x"),
    "plain": (KeyError("web"), "KeyError", "'web'"),
    "plain without a message": (ValueError(), "ValueError", "ValueError"),
}
WRAPPERS: dict[str, Any] = {
    "bare": lambda error: error,
    "activity": activity_error,
    "child": child_error,
    "activity in child": lambda error: child_error(activity_error(error)),
    "activity in child in child": lambda error: child_error(child_error(activity_error(error))),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", INNERMOST)
def test_the_innermost_cause_is_told(kind: str, wrapper: str) -> None:
    innermost, type_, message = INNERMOST[kind]
    error = WRAPPERS[wrapper](innermost)
    assert root_cause(error) is innermost
    failure = failure_of(error)
    assert (failure.type, failure.message) == (type_, message)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (TimeoutType.START_TO_CLOSE, "start to close"),
        (TimeoutType.SCHEDULE_TO_START, "schedule to start"),
        (TimeoutType.SCHEDULE_TO_CLOSE, "schedule to close"),
        (TimeoutType.HEARTBEAT, "heartbeat"),
        (None, "some"),
    ],
)
def test_a_timeout_says_which_it_was(kind: TimeoutType | None, words: str) -> None:
    timeout = TemporalTimeoutError("activity timed out", type=kind, last_heartbeat_details=[])
    failure = failure_of(child_error(activity_error(timeout)))
    assert failure.type == "TimeoutError"
    assert failure.message == f"activity timed out ({words} timeout)"


def test_a_wrapper_without_a_cause_is_told_itself() -> None:
    assert failure_of(activity_error(None)).type == "ActivityError"
    assert failure_of(child_error(activity_error(None))).message == "Activity task failed"


def test_the_cause_of_an_application_error_is_not_dug_out() -> None:
    outer = ApplicationError("the step failed", type="StepFailed")
    outer.__cause__ = OSError("disk full")
    assert failure_of(activity_error(outer)).type == "StepFailed"


def test_a_plain_exception_has_its_own_trace_and_not_that_of_what_it_came_from() -> None:
    def explode() -> None:
        try:
            throw(RuntimeError("inner"))
        except RuntimeError as error:
            raise ValueError("outer") from error

    with pytest.raises(ValueError, match="outer") as caught:
        explode()
    trace = failure_of(caught.value).stacktrace
    assert "in explode" in trace
    assert "ValueError: outer" in trace
    assert "inner" not in trace


def test_a_failure_from_afar_keeps_the_trace_of_the_process_that_raised_it() -> None:
    def in_the_agent() -> None:
        raise ApplicationError("no such file", type="DriverError")

    with pytest.raises(ApplicationError) as caught:
        in_the_agent()
    arrived = over_the_wire(child_error(activity_error(caught.value)))
    failure = failure_of(raised(arrived))
    assert failure.type == "DriverError"
    assert failure.message == "no such file"
    assert "in in_the_agent" in failure.stacktrace
    assert "in throw" not in failure.stacktrace


def test_a_timeout_from_afar_has_no_trace() -> None:
    timeout = TemporalTimeoutError(
        "activity Heartbeat timeout", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[]
    )
    failure = failure_of(raised(over_the_wire(activity_error(timeout))))
    assert failure.message == "activity Heartbeat timeout (heartbeat timeout)"
    assert failure.stacktrace == ""
