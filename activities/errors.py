"""Our errors as Temporal sees them: typed by class name, and final or to be tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from engine.errors import (
    CallError,
    DriverError,
    EvidenceError,
    GateError,
    InputError,
    PromotionEngineError,
    SchemaVersionError,
)

_FINAL = (InputError, EvidenceError, SchemaVersionError)


class ErrorInterceptor(Interceptor):
    """Turns the engine's errors into `ApplicationError`s.

    The type is the class name, which traces and histories show. Wrong input and definite negatives
    are final; a server that does not answer is tried again.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `temporalio.worker.Interceptor`."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except PromotionEngineError as error:
            raise to_application_error(error) from error


def to_application_error(error: PromotionEngineError, *details: object) -> ApplicationError:
    """`error` with what Temporal needs to know of it."""
    if isinstance(error, CallError | DriverError | GateError):
        final = not error.retryable
    else:
        final = isinstance(error, _FINAL)
    pause = error.retry_after if isinstance(error, CallError | GateError) else None
    return ApplicationError(
        str(error),
        *details,
        type=type(error).__name__,
        non_retryable=final,
        next_retry_delay=None if pause is None else timedelta(seconds=pause),
    )
