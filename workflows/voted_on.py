"""The messages of `promotion.request` by which people vote."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.model.approval import VoteDecision
    from engine.model.promotion import PromotionState
    from workflows.accepted import AcceptedPromotion


class VotedOn(AcceptedPromotion):
    """The updates `approve`, `reject` and `withdraw`."""

    @workflow.update
    async def approve(self, given: Any = None) -> PromotionState:
        """Approve the promotion: `{"user": "bob", "comment": "looks good"}`."""
        await self._until_accepted()
        await self._ballot.cast(self._known(), given, VoteDecision.APPROVE)
        return self._known().state()

    @approve.validator
    def validate_approve(self, given: Any = None) -> None:
        """Refuse a vote that cannot count, with the reason and without a trace in the history."""
        self._ballot.check(self._record, given, VoteDecision.APPROVE)

    @workflow.update
    async def reject(self, given: Any = None) -> PromotionState:
        """Reject the promotion, which ends it: `{"user": "bob", "comment": "not today"}`."""
        await self._until_accepted()
        await self._ballot.cast(self._known(), given, VoteDecision.REJECT)
        return self._known().state()

    @reject.validator
    def validate_reject(self, given: Any = None) -> None:
        """Refuse a vote that cannot count, with the reason and without a trace in the history."""
        self._ballot.check(self._record, given, VoteDecision.REJECT)

    @workflow.update
    async def withdraw(self, given: Any = None) -> PromotionState:
        """Take an approval back: `{"user": "bob", "reason": "wrong one"}`."""
        await self._until_accepted()
        await self._ballot.withdraw(self._known(), given)
        return self._known().state()

    @withdraw.validator
    def validate_withdraw(self, given: Any = None) -> None:
        """Refuse to take back what was not given, or what has done its work already."""
        self._ballot.check_withdrawal(self._record, given)
