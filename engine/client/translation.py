"""Temporal's errors as the engine's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, FailureError, TemporalError
from temporalio.service import RPCError, RPCStatusCode

from engine.errors import (
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    PromotionEngineError,
    UnreachableError,
)

_INPUT_ERRORS: dict[str, type[InputError]] = {
    kind.__name__: kind for kind in (InputError, NotFoundError, ConflictError)
}

_NO_ANSWER = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
    }
)
_REFUSED = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED})


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn every Temporal error of the block into one of `engine.errors`.

    Args:
        doing: what the block does, for messages: `cannot <doing>: …`.

    Raises:
        UnreachableError: the server did not answer.
        InputError, NotFoundError, ConflictError, DeniedError: the promotion refused the call.
        PromotionEngineError: anything else.
    """
    try:
        with cancellable():
            yield
    except RPCTimeoutOrCancelledError as error:
        raise UnreachableError(f"cannot {doing}: no answer in time") from error
    except WorkflowUpdateFailedError as error:
        raise from_failure(error.cause) from error
    except WorkflowQueryRejectedError as error:
        raise PromotionEngineError(f"cannot {doing}: {error}") from error
    except WorkflowQueryFailedError as error:
        raise PromotionEngineError(f"cannot {doing}: {error.message}") from error
    except RPCError as error:
        raise _from_rpc(doing, error) from error
    except TemporalError as error:
        raise PromotionEngineError(f"cannot {doing}: {error}") from error


@contextmanager
def cancellable() -> Iterator[None]:
    """Let a cancellation, such as that by `asyncio.timeout`, come out of the block as one.

    The SDK turns the cancellation of some calls into an error of its own.
    """
    try:
        yield
    except (RPCTimeoutOrCancelledError, RPCError) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise


def from_failure(cause: BaseException) -> PromotionEngineError:
    """The engine's error for a failure that a workflow or one of its updates ended with."""
    message = cause.message if isinstance(cause, FailureError) else str(cause)
    kind = cause.type if isinstance(cause, ApplicationError) else None
    if kind in _INPUT_ERRORS:
        return input_error(_INPUT_ERRORS[kind], message)
    if kind == DeniedError.__name__:
        return DeniedError(message)
    return PromotionEngineError(message)


def input_error(kind: type[InputError], message: str) -> InputError:
    """An input error whose text is exactly `message`, of the form `field: problem; remedy`."""
    field, found, rest = message.partition(": ")
    if not found:
        field, rest = "request", message
    problem, _, remedy = rest.partition("; ")
    return kind(field, problem, remedy)


def _from_rpc(doing: str, error: RPCError) -> PromotionEngineError:
    if error.status in _NO_ANSWER:
        return UnreachableError(f"cannot {doing}: the Temporal server says: {error.message}")
    if error.status in _REFUSED:
        return PromotionEngineError(
            f"cannot {doing}: the Temporal server refuses our credentials: {error.message}"
        )
    if error.status is RPCStatusCode.NOT_FOUND and "amespace" in error.message:
        return NotFoundError(
            "TEMPORAL_NAMESPACE", error.message, "create the namespace or name another one"
        )
    if error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" in error.message:
        return PromotionEngineError(
            f"cannot {doing}: the namespace lacks our search attributes; run: promote server init"
        )
    return PromotionEngineError(f"cannot {doing}: {error.message}")
