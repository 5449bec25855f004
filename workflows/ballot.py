"""The votes that people cast on a promotion: which are taken, and whom they are told."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contract import VoteRecord
    from activities.promotion import PromotionActivities
    from engine.gates.approval import check_vote
    from engine.model.approval import Vote, VoteDecision, VoteInput
    from engine.telemetry import events
    from engine.telemetry.events import event
    from workflows.execution import ExecutionWorkflow
    from workflows.failures import parse, refuse
    from workflows.gates import Votes
    from workflows.logs import workflow_logger
    from workflows.options import SHORT
    from workflows.record import PromotionRecord

_log = workflow_logger(__name__)


class Ballot:
    """The votes on one promotion.

    Attributes:
        execution: the run of the template, which is told of votes while it goes on; None before.
    """

    def __init__(self) -> None:
        self.votes = Votes()
        self.execution: workflow.ChildWorkflowHandle[Any, Any] | None = None

    def check(self, record: PromotionRecord | None, given: Any, decision: VoteDecision) -> None:
        """Do nothing when the vote can count, as far as that can be told.

        Args:
            record: None while the request is not resolved; the vote is to be checked again then.

        Raises:
            ApplicationError: it cannot; the message says why.
        """
        message = parse(VoteInput, given, f"the input of {decision}")
        if record is None:
            return
        if record.is_over:
            raise refuse(decision, f"the promotion is {record.status} already")
        if decision is VoteDecision.REJECT and not record.asks_for_votes:
            raise refuse(
                decision,
                f"the promotion is {record.status}, and nothing in it asks for votes any more",
                f"stop it with: promote cancel {record.promotion.promotion_id}",
            )
        problem = check_vote(record.promotion, self.votes.all, message.user, decision)
        if problem is not None:
            raise refuse("user", problem)

    async def cast(self, record: PromotionRecord, given: Any, decision: VoteDecision) -> None:
        """Take a vote, tell everything that waits for it, and store it.

        Raises:
            ApplicationError: it cannot count, or cannot be stored.
        """
        self.check(record, given, decision)
        message = parse(VoteInput, given, f"the input of {decision}")
        vote = Vote(
            user=message.user,
            decision=decision,
            comment=message.comment,
            binding=record.promotion.binding,
            at=workflow.now(),
        )
        self.votes.add(vote)
        _log.info(
            "%s says %s%s",
            vote.user,
            decision.value,
            f": {vote.comment}" if vote.comment else "",
            extra=event(events.PROMOTION_VOTED, {events.APPROVAL_DECISION: decision.value}),
        )
        record.show()
        await workflow.execute_local_activity_method(
            PromotionActivities.record_vote,
            VoteRecord(promotion_id=record.promotion.promotion_id, vote=vote),
            summary=f"{decision} by {vote.user}",
            **SHORT,
        )
        await self._forward(vote)

    async def forward_since(self, seen: int) -> None:
        """Tell the template's run of the votes that came in after the first `seen`."""
        for vote in self.votes.all[seen:]:
            await self._forward(vote)

    async def _forward(self, vote: Vote) -> None:
        if self.execution is None or self.execution.done():
            return
        try:
            await self.execution.signal(ExecutionWorkflow.vote, vote)
        except ApplicationError as error:
            # The run has just ended, and needs no vote any more.
            _log.warning("the run took no vote: %s", error)
