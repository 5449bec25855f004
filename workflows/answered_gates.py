"""The messages of `promotion.request` that gates listen for: overrides, callbacks, freezes."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.model.deployment import DeploymentPause
    from engine.model.promotion import PromotionState
    from workflows import callbacks, overriding
    from workflows.accepted import AcceptedPromotion


class AnsweredGates(AcceptedPromotion):
    """The updates `override`, `override_freeze` and `gate_callback`, and what freezes signal."""

    @workflow.update
    async def override(self, given: Any = None) -> PromotionState:
        """Pass over a gate: `{"user": "bob", "gate": "freeze_window", "reason": "outage"}`."""
        await self._until_accepted()
        override = overriding.take(self._known(), self._ballot.occasions, given)
        await self._freezing.overridden(self._known(), override)
        return self._known().state()

    @override.validator
    def validate_override(self, given: Any = None) -> None:
        """Refuse whoever may not, and a gate that does not wait."""
        overriding.check(self._record, given)

    @workflow.update
    async def override_freeze(self, given: Any = None) -> PromotionState:
        """Pass over the freeze that holds the promotion up: `{"user": "bob", "reason": "…"}`."""
        await self._until_accepted()
        override = overriding.take_freeze(self._known(), self._ballot.occasions, given)
        await self._freezing.overridden(self._known(), override)
        return self._known().state()

    @override_freeze.validator
    def validate_override_freeze(self, given: Any = None) -> None:
        """Refuse whoever may not, and a promotion that no freeze holds up."""
        overriding.check_freeze(self._record, given)

    @workflow.update
    async def gate_callback(self, given: Any = None) -> PromotionState:
        """Answer a gate that asked: `{"gate": "cab", "token": "…", "body": {…}}`."""
        await self._until_accepted()
        callbacks.take(self._known(), self._ballot.occasions, given)
        return self._known().state()

    @gate_callback.validator
    def validate_gate_callback(self, given: Any = None) -> None:
        """Refuse an answer that no gate waits for."""
        callbacks.check(self._record, given)

    @workflow.signal
    async def freezes_changed(self) -> None:
        """Told when a freeze was set or lifted; gates and deployments look again."""
        await self._freezing.changed()

    @workflow.signal
    def deployment_paused(self, pause: DeploymentPause) -> None:
        """Told by `deployment.execute` when it waits for a freeze to end, and when it goes on."""
        if self._record is not None:
            self._freezing.paused(self._record, pause)
