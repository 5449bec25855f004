"""The votes that people cast on a promotion: which are taken, and whom they are told."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contract import VoteRecord
    from activities.promotion import PromotionActivities
    from engine.errors import InputError
    from engine.gates.approval_rules import Rule, rules_of
    from engine.gates.voting import taken_back, taken_vote
    from engine.model.approval import Vote, VoteDecision, VoteInput, WithdrawInput
    from engine.telemetry import events
    from engine.telemetry.events import event
    from workflows.execution import ExecutionWorkflow
    from workflows.failures import parse, refuse
    from workflows.logs import workflow_logger
    from workflows.occasions import Occasions
    from workflows.options import SHORT
    from workflows.record import PromotionRecord

_log = workflow_logger(__name__)


class Ballot:
    """The votes on one promotion.

    Attributes:
        execution: the run of the template, which is told of votes while it goes on; None before.
    """

    def __init__(self) -> None:
        self.occasions = Occasions()
        self.execution: workflow.ChildWorkflowHandle[Any, Any] | None = None

    def check(self, record: PromotionRecord | None, given: Any, decision: VoteDecision) -> None:
        """Do nothing when the vote can count, as far as that can be told.

        Args:
            record: None while the request is not resolved; the vote is to be checked again then.

        Raises:
            ApplicationError: it cannot; the message says why.
        """
        message = parse(VoteInput, given, f"the input of {decision}")
        if record is not None:
            self._vote(record, message, decision)

    async def cast(self, record: PromotionRecord, given: Any, decision: VoteDecision) -> None:
        """Take a vote, tell everything that waits for it, and store it.

        Raises:
            ApplicationError: it cannot count, or cannot be stored.
        """
        message = parse(VoteInput, given, f"the input of {decision}")
        vote = self._vote(record, message, decision)
        self.occasions.take_vote(vote)
        _log.info(
            "%s says %s%s",
            vote.user if vote.on_behalf_of is None else f"{vote.user} for {vote.on_behalf_of}",
            decision.value,
            f": {vote.comment}" if vote.comment else "",
            extra=event(events.PROMOTION_VOTED, {events.APPROVAL_DECISION: decision.value}),
        )
        await self._keep(record, vote, f"{decision} by {vote.user}")

    def check_withdrawal(self, record: PromotionRecord | None, given: Any) -> None:
        """Do nothing when the person's vote can be withdrawn, as far as that can be told.

        Raises:
            ApplicationError: it cannot; the message says why.
        """
        message = parse(WithdrawInput, given, "the input of withdraw")
        if record is not None:
            self._withdrawn(record, message)

    async def withdraw(self, record: PromotionRecord, given: Any) -> None:
        """Take a vote back, tell everything that waits, and store that it was.

        Raises:
            ApplicationError: it cannot be withdrawn, or that cannot be stored.
        """
        vote = self._withdrawn(record, parse(WithdrawInput, given, "the input of withdraw"))
        self.occasions.take_vote(vote)
        _log.info(
            "%s withdraws the vote%s",
            vote.user,
            f": {vote.withdrawal_reason}" if vote.withdrawal_reason else "",
            extra=event(events.PROMOTION_VOTE_WITHDRAWN),
        )
        await self._keep(record, vote, f"withdrawal by {vote.user}")

    async def forward_since(self, seen: tuple[Vote, ...]) -> None:
        """Tell the template's run what has changed since it was started with the votes `seen`."""
        for vote in self.occasions.votes:
            if vote not in seen:
                await self._forward(vote)

    def _vote(self, record: PromotionRecord, message: VoteInput, decision: VoteDecision) -> Vote:
        _check_open(record, decision)
        votes, now = self.occasions.votes, workflow.now()
        try:
            return taken_vote(record.promotion, _rules(record), votes, message, decision, now)
        except InputError as error:
            raise refuse(error.field, error.problem, error.remedy) from error

    def _withdrawn(self, record: PromotionRecord, message: WithdrawInput) -> Vote:
        _check_open(record, "withdraw")
        votes, now = self.occasions.votes, workflow.now()
        try:
            return taken_back(record.promotion, _rules(record), votes, message, now)
        except InputError as error:
            raise refuse(error.field, error.problem, error.remedy) from error

    async def _keep(self, record: PromotionRecord, vote: Vote, summary: str) -> None:
        record.show()
        await workflow.execute_local_activity_method(
            PromotionActivities.record_vote,
            VoteRecord(promotion_id=record.promotion.promotion_id, vote=vote),
            summary=summary,
            **SHORT,
        )
        await self._forward(vote)

    async def _forward(self, vote: Vote) -> None:
        if self.execution is None or self.execution.done():
            return
        try:
            await self.execution.signal(ExecutionWorkflow.vote, vote)
        except ApplicationError as error:
            # The run has just ended, and needs no vote any more.
            _log.warning("the run took no vote: %s", error)


def _check_open(record: PromotionRecord, what: str) -> None:
    if record.is_over:
        raise refuse(what, f"the promotion is {record.status} already")


def _rules(record: PromotionRecord) -> tuple[Rule, ...]:
    gates = () if record.gates is None else record.gates.states
    return rules_of(record.promotion, gates, record.steps, workflow.now())
