"""The gate `approval`: enough of the right people have to agree.

Everything here is a pure function over the votes, so that a workflow can ask it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from textwrap import shorten
from typing import ClassVar

import durationpy

from engine.errors import GateError
from engine.gates.configuration import applied
from engine.gates.protocol import AttachmentReader, GateContext
from engine.gates.steps import gates_of
from engine.model.approval import Vote, VoteDecision
from engine.model.base import Document
from engine.model.gate_config import ApprovalConfig
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import Allow, AttributeValue, Defer, Deny, Verdict

_PEOPLE_NAMED = 5
_COMMENT_WIDTH = 200


class ApprovalGate:
    """Waits for `required` approvals; one rejection ends it."""

    config: ClassVar[type[Document]] = ApprovalConfig
    type: ClassVar[str] = "approval"

    async def evaluate(self, context: GateContext, read: AttachmentReader) -> Verdict:
        """Allow, deny, or defer until the timeout.

        Raises:
            GateError: the configuration cannot be used.
        """
        config = applied(context.gate, ApprovalConfig)
        return decide(config, context.promotion, context.votes, context.opened_at, context.now)


def decide(
    config: ApprovalConfig,
    promotion: PromotionSnapshot,
    votes: Sequence[Vote],
    opened_at: datetime,
    now: datetime,
) -> Verdict:
    """What the votes come to at `now`, for an approval that was asked for at `opened_at`.

    A vote counts when it is bound to this promotion's release, template and policy, and comes from
    somebody who may vote; each person's first one does. An approval also has to be in time, and
    not the requester's own unless that is allowed. A rejection counts from the requester too, and
    weighs more than any number of approvals.

    Raises:
        GateError: the configuration names a group that the environment does not have.
    """
    groups = promotion.environment.groups
    unknown = [name for name in config.groups if name not in groups]
    if unknown:
        raise GateError(f"the environment has no group called {', '.join(unknown)}")
    deadline = opened_at + config.timeout
    may_vote = set(config.people(groups))
    may_approve = _approvers(config, promotion)
    first: dict[str, Vote] = {}
    for vote in votes:
        allowed = may_vote if vote.decision is VoteDecision.REJECT else may_approve
        in_time = vote.decision is VoteDecision.REJECT or vote.at <= deadline
        if vote.binding == promotion.binding and vote.user in allowed and in_time:
            first.setdefault(vote.user, vote)
    approved = [user for user, vote in first.items() if vote.decision is VoteDecision.APPROVE]
    attributes: dict[str, AttributeValue] = {
        "approval.required": config.required,
        "approval.received": len(approved),
        "approval.wait_seconds": (now - opened_at).total_seconds(),
    }

    for user, vote in first.items():
        if vote.decision is VoteDecision.REJECT:
            comment = shorten(vote.comment, width=_COMMENT_WIDTH, placeholder=" …")
            reason = f"rejected by {user}" + (f": {comment}" if comment else "")
            return Deny(reason=reason, rejected_by=user, attributes=attributes)
    if len(approved) >= config.required:
        return Allow(reason=f"approved by {_people(approved, 'and')}", attributes=attributes)
    if len(may_approve) < config.required:
        return Deny(reason=_never(config, promotion, may_approve), attributes=attributes)
    progress = f"{len(approved)} of {config.required} approvals"
    if now >= deadline:
        reason = f"{progress} within {durationpy.to_str(config.timeout)}; ask for a new promotion"
        return Deny(reason=reason, attributes=attributes)
    waiting = tuple(sorted(may_approve - first.keys()))
    return Defer(
        reason=f"{progress}; waiting for {_people(waiting, 'or')}",
        until=deadline,
        who=waiting,
        attributes=attributes,
    )


def check_vote(
    promotion: PromotionSnapshot, votes: tuple[Vote, ...], user: str, decision: VoteDecision
) -> str | None:
    """Why a vote cannot be accepted, in one sentence; None when it can.

    Looks at the environment's approval gates and at the template's approval nodes. Never raises,
    since a workflow's update validator calls it: what cannot be read wants no vote.
    """
    wanted = _configs(promotion)
    if not wanted:
        return "this promotion requires no approval"
    if any(vote.user == user and vote.binding == promotion.binding for vote in votes):
        return f"{user} has voted already, and each person has one vote"
    groups = promotion.environment.groups
    people = {person for config in wanted for person in config.people(groups)}
    if user not in people:
        who = f"it is for {_people(sorted(people), 'or')}" if people else "nobody is eligible"
        return f"{user!r} may not vote on this promotion; {who}"
    if decision is VoteDecision.REJECT:
        return None
    if not any(user in _approvers(config, promotion) for config in wanted):
        return (
            f"{user} asked for this promotion and may not approve it as well "
            "(separation of duties); somebody else has to"
        )
    return None


def _configs(promotion: PromotionSnapshot) -> list[ApprovalConfig]:
    environment = promotion.environment
    gates = [gate for gate in environment.gates if gate.type == ApprovalGate.type]
    gates += [
        gate
        for node in environment.template.nodes
        if node.type == "approval" and node.inputs
        for gate in gates_of(node, environment)
    ]
    configs = []
    for gate in gates:
        try:
            configs.append(applied(gate, ApprovalConfig))
        except GateError:
            continue
    return configs


def _approvers(config: ApprovalConfig, promotion: PromotionSnapshot) -> set[str]:
    people = set(config.people(promotion.environment.groups))
    return people if config.allow_requester else people - {promotion.requested_by}


def _never(config: ApprovalConfig, promotion: PromotionSnapshot, may_approve: set[str]) -> str:
    who = f" ({_people(sorted(may_approve), 'and')})" if may_approve else ""
    excluded = set(config.people(promotion.environment.groups)) - may_approve
    why = f", since {promotion.requested_by} asked for the promotion" if excluded else ""
    return (
        f"{config.required} approvals are required, but only {len(may_approve)} "
        f"can be given{who}{why}; name more people, or let somebody else ask"
    )


def _people(users: Iterable[str], last: str) -> str:
    named = list(users)
    if len(named) > _PEOPLE_NAMED:
        named = [*named[: _PEOPLE_NAMED - 1], f"{len(named) - _PEOPLE_NAMED + 1} more"]
    if len(named) < 2:
        return "".join(named)
    return f"{', '.join(named[:-1])} {last} {named[-1]}"
