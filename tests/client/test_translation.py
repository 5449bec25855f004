from __future__ import annotations

import asyncio

import pytest
from temporalio.client import (
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from engine.client.contract import FAILED, WORKFLOW_TYPE
from engine.client.translation import cancellable, translated
from engine.errors import (
    ConflictError,
    DeniedError,
    ExitCode,
    InputError,
    NotFoundError,
    PromotionEngineError,
    UnreachableError,
)
from workflows.failures import PROMOTION_FAILED
from workflows.promotion import PromotionWorkflow


def refused(message: str, kind: str | None) -> WorkflowUpdateFailedError:
    return WorkflowUpdateFailedError(ApplicationError(message, type=kind))


@pytest.mark.parametrize(
    ("error", "expected", "text"),
    [
        (refused("user: who?; name one", "InputError"), InputError, "user: who?; name one"),
        (refused("no colon in it", "InputError"), InputError, "request: no colon in it"),
        (refused("release: none", "NotFoundError"), NotFoundError, "release: none"),
        (refused("release: other", "ConflictError"), ConflictError, "release: other"),
        (refused("denied", "DeniedError"), DeniedError, "denied"),
        (refused("broken", "ValueError"), PromotionEngineError, "broken"),
        (WorkflowQueryFailedError("odd"), PromotionEngineError, "cannot try: odd"),
        (
            RPCError("gone", RPCStatusCode.UNAVAILABLE, b""),
            UnreachableError,
            "cannot try: the Temporal server says: gone",
        ),
        (
            RPCError("Namespace x is not found.", RPCStatusCode.NOT_FOUND, b""),
            NotFoundError,
            "TEMPORAL_NAMESPACE: Namespace x is not found.; "
            "create the namespace or name another one",
        ),
        (
            RPCError("who are you", RPCStatusCode.UNAUTHENTICATED, b""),
            PromotionEngineError,
            "cannot try: the Temporal server refuses our credentials: who are you",
        ),
        (WorkflowUpdateRPCTimeoutOrCancelledError(), UnreachableError, "cannot try: no answer"),
    ],
)
async def test_temporals_errors_become_ours(
    error: Exception, expected: type[PromotionEngineError], text: str
) -> None:
    with pytest.raises(PromotionEngineError) as caught, translated("try"):
        raise error
    assert type(caught.value) is expected
    assert str(caught.value).startswith(text)


def test_a_field_is_told_apart_from_problem_and_remedy() -> None:
    with pytest.raises(InputError) as caught, translated("try"):
        raise refused("user: is not known; name another", "InputError")
    assert (caught.value.field, caught.value.problem, caught.value.remedy) == (
        "user",
        "is not known",
        "name another",
    )
    assert caught.value.exit_code is ExitCode.USAGE


async def test_a_cancellation_that_the_sdk_renames_stays_one() -> None:
    async def call() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            # What the SDK's update calls do.
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error

    async def bounded_call() -> None:
        async with asyncio.timeout(0.05):
            with cancellable():
                await call()

    with pytest.raises(TimeoutError):
        await bounded_call()


def test_our_own_errors_pass_unchanged() -> None:
    given = NotFoundError("release", "none")
    with pytest.raises(NotFoundError) as caught, translated("try"):
        raise given
    assert caught.value is given


def test_the_names_are_those_of_the_workflow() -> None:
    definition = PromotionWorkflow.__temporal_workflow_definition  # type: ignore[attr-defined]  # set by the SDK's decorator
    assert definition.name == WORKFLOW_TYPE
    assert FAILED == PROMOTION_FAILED
    assert {"accepted", "approve", "reject", "cancel"} <= set(definition.updates)
    assert "status" in definition.queries
