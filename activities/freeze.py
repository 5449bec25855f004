"""The activity that looks whether a freeze stops a promotion that is under way."""

from __future__ import annotations

from temporalio import activity

from activities.contract import BoundaryAnswer, BoundaryQuestion
from engine.gates.boundary import closure
from engine.store.store import Store


class FreezeActivities:
    """Activities over the gates' windows and the freezes in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn(name="freeze.check")
    async def check(self, question: BoundaryQuestion) -> BoundaryAnswer:
        """What stops the promotion at the moment that is asked for.

        Raises:
            GateError: a gate's configuration cannot be used.
        """
        promotion = question.promotion
        freezes = await self._store.freezes.of(promotion.tenant_id, promotion.environment.name)
        return BoundaryAnswer(
            closure=closure(
                promotion,
                question.exemptions,
                freezes,
                question.at,
                has_begun=question.has_begun,
            )
        )
