from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from engine.model.lock import LockRequest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def asks(
    release: str, minutes: int = 0, *, supersedes: bool = True, is_rollback: bool = False
) -> LockRequest:
    """A promotion that was requested so many minutes after noon, and asks for the lock at one."""
    return LockRequest(
        promotion_id=uuid4(),
        nonce=str(uuid4()),
        workflow_id="promotion/1",
        release=release,
        requested_by="alice",
        at=NOON + timedelta(hours=1),
        requested_at=NOON + timedelta(minutes=minutes),
        supersedes=supersedes,
        is_rollback=is_rollback,
    )


QUEUED = asks("web@1.0.0", 1)


@pytest.mark.parametrize(
    ("newer", "queued", "takes"),
    [
        (asks("web@1.1.0", 2), QUEUED, True),
        (asks("web@1.1.0", 2, supersedes=False), QUEUED, False),
        (asks("web@0.9.0", 2, is_rollback=True), QUEUED, True),
        (asks("web@1.1.0", 0), QUEUED, False),
        (asks("web@1.1.0", 1), QUEUED, False),
        (asks("api@1.1.0", 2), QUEUED, False),
        (asks("web@1.1.0", 2), asks("web@1.0.0", 1, is_rollback=True), False),
        # What the older one was started with does not matter.
        (asks("web@1.1.0", 2), asks("web@1.0.0", 1, supersedes=False), True),
    ],
)
def test_a_newer_version_of_the_same_release_takes_the_place(
    newer: LockRequest, queued: LockRequest, *, takes: bool
) -> None:
    assert newer.takes_the_place_of(queued) is takes


def test_without_the_time_of_the_request_that_of_the_lock_counts() -> None:
    # As of a workflow that was started before the lock asked for it.
    old = QUEUED.model_copy(update={"requested_at": None})
    assert not asks("web@1.1.0", 30).takes_the_place_of(old)
    later = asks("web@1.1.0").model_copy(update={"requested_at": NOON + timedelta(hours=2)})
    assert later.takes_the_place_of(old)
