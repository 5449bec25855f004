"""What a release has done in an environment, as a later environment asks for it."""

from __future__ import annotations

from uuid import UUID

from engine.model.base import Name, Timestamp, Value
from engine.model.execution import StepResult


class Standing(Value):
    """The latest successful promotion of one release to one environment, and what came after it.

    Attributes:
        promotion_id: None when the release has not succeeded there.
        succeeded_at: when it did.
        steps: of that promotion's run, without their inputs and outputs.
        is_current: whether nothing else has succeeded there since.
        replaced_at: when something else first succeeded there after it.
        failed_since: the first promotion of the same release to it that failed afterwards.
    """

    environment: Name
    promotion_id: UUID | None = None
    succeeded_at: Timestamp | None = None
    steps: tuple[StepResult, ...] = ()
    is_current: bool = False
    replaced_at: Timestamp | None = None
    failed_since: UUID | None = None
