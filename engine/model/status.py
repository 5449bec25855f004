"""Where a promotion stands."""

from __future__ import annotations

from enum import StrEnum


class PromotionStatus(StrEnum):
    """Where a promotion stands. Waiting for a person is never `running` or `queued`."""

    PENDING = "pending"
    AWAITING_APPROVAL = "awaiting_approval"
    BLOCKED = "blocked"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    ROLLING_BACK = "rolling_back"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERRORED = "errored"
    DENIED = "denied"
    REJECTED = "rejected"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows any more."""
        return self in _FINAL

    @property
    def is_error(self) -> bool:
        """Whether the promotion's work broke, as against a decision that was made."""
        return self in (PromotionStatus.FAILED, PromotionStatus.ERRORED)


_FINAL = frozenset(
    {
        PromotionStatus.SUCCEEDED,
        PromotionStatus.FAILED,
        PromotionStatus.ERRORED,
        PromotionStatus.DENIED,
        PromotionStatus.REJECTED,
        PromotionStatus.CANCELLED,
        PromotionStatus.SUPERSEDED,
    }
)
