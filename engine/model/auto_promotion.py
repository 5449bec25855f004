"""Promotion by rule: what waits to be promoted by itself, and what holds it back."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from engine.model.base import Name, Timestamp, Value

REQUESTED_BY = "auto-promotion"
"""The machine account that asks for promotions by rule."""


class Candidate(Value):
    """A release that has succeeded where it has to, and soaks there.

    Attributes:
        promotion_id: the promotion by which it succeeded.
        succeeded_in: the environment of that promotion.
    """

    promotion_id: UUID
    release_id: UUID
    release: str
    succeeded_in: Name
    succeeded_at: Timestamp


class Hold(Value):
    """What keeps an environment from promoting by itself, until a person lifts it.

    Attributes:
        promotion_id: the rollback that it came of; None when a person set it.
    """

    id: UUID
    environment_id: UUID
    promotion_id: UUID | None = None
    reason: str
    held_by: str
    held_at: Timestamp
    lifted_by: str | None = None
    lifted_at: Timestamp | None = None
    lift_reason: str = ""


class NextStep(StrEnum):
    """What becomes of a candidate now."""

    START = "start"
    SOAK = "soak"
    HOLD = "hold"
    DROP = "drop"


class Consideration(Value):
    """What becomes of a candidate, and why.

    Attributes:
        until: with `soak`, the moment at which to consider it again.
    """

    step: NextStep
    reason: str
    until: Timestamp | None = None


class AutoPromotionState(Value):
    """The input of the workflow `environment.auto_promotion` and the answer of its query `state`.

    Attributes:
        candidate: what soaks or is held; None when nothing waits.
        latest: what was last found about it.
    """

    tenant: str
    environment: Name
    candidate: Candidate | None = None
    latest: Consideration | None = None


def auto_promotion_workflow_id(tenant: str, environment: str) -> str:
    """The id of the workflow `environment.auto_promotion` of an environment."""
    return f"environment/{tenant}/{environment}/auto"
