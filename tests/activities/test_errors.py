"""What Temporal is told of our errors: whether to try again, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from activities.errors import to_application_error
from engine.errors import (
    CallError,
    ConflictError,
    DigestMismatchError,
    DriverError,
    EvidenceError,
    GateError,
    NotFoundError,
    PromotionEngineError,
    UnreachableError,
)


@pytest.mark.parametrize(
    ("error", "final", "pause"),
    [
        (GateError("unreadable report"), True, None),
        (GateError("no answer", retryable=True), False, None),
        (GateError("busy", retryable=True, retry_after=7.0), False, 7.0),
        (CallError("no answer"), False, None),
        (CallError("busy", retry_after=0.5), False, 0.5),
        (CallError("no such program", retryable=False), True, None),
        (DriverError("disk full"), False, None),
        (DigestMismatchError("other bytes"), True, None),
        (NotFoundError("release", "is unknown"), True, None),
        (ConflictError("release", "has other contents"), True, None),
        (EvidenceError("does not verify"), True, None),
        (UnreachableError("the database is away"), False, None),
    ],
)
def test_an_error_says_whether_to_try_again(
    error: PromotionEngineError, final: bool, pause: float | None
) -> None:
    told = to_application_error(error)
    assert told.type == type(error).__name__
    assert told.message == str(error)
    assert told.non_retryable is final
    assert told.next_retry_delay == (None if pause is None else timedelta(seconds=pause))
