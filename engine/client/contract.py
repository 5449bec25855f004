"""The names that a client and the workflow `promotion.request` agree on."""

from __future__ import annotations

from uuid import UUID

WORKFLOW_TYPE = "promotion.request"

UPDATE_ACCEPTED = "accepted"
UPDATE_APPROVE = "approve"
UPDATE_REJECT = "reject"
UPDATE_WITHDRAW = "withdraw"
UPDATE_CANCEL = "cancel"
UPDATE_OVERRIDE = "override"
UPDATE_RETRY = "retry"
UPDATE_ADVANCE = "advance"
UPDATE_GATE_CALLBACK = "gate_callback"
SIGNAL_FREEZES_CHANGED = "freezes_changed"
QUERY_STATUS = "status"
QUERY_EXPLAIN = "explain"

FAILED = "PromotionFailed"
"""Type of the ApplicationError of a promotion whose work broke; details[0] is its result."""


def workflow_id(promotion_id: UUID) -> str:
    """The workflow id of a promotion that our own client starts."""
    return f"promotion/{promotion_id}"
