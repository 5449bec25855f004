"""The gate `approval`: enough of the right people have to agree.

Everything here is a pure function over the votes, and what is signed is verified here and not
taken from the workflow that collected it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from textwrap import shorten
from typing import ClassVar

import durationpy

from engine.gates.configuration import applied
from engine.gates.counting import Counted, counted
from engine.gates.electorate import Electorate, listed
from engine.gates.protocol import GateContext, GateServices
from engine.gates.reminders import reminders
from engine.model.approval import Vote
from engine.model.base import Digest, Document, Json
from engine.model.gate_config import ApprovalConfig, Quorum
from engine.model.promotion import PromotionSnapshot
from engine.model.quorum import Count, count
from engine.model.verdict import Allow, AttributeValue, Defer, Deny, Verdict

DEADLINE = "approval.deadline"
"""Until when approvals are taken; a span attribute, RFC 3339."""

REMINDERS = "approval.reminders"
"""How many reminders were due so far; a span attribute."""

_COMMENT_WIDTH = 200


class ApprovalGate:
    """Waits until every quorum is met; one rejection ends it."""

    config: ClassVar[type[Document]] = ApprovalConfig
    type: ClassVar[str] = "approval"
    holds_for_rollbacks: ClassVar[bool] = False

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow, deny, or defer until the next reminder or the timeout.

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

    Which votes count is told in `engine.gates.counting`, and how they fill several quorums in
    `engine.model.quorum`. A rejection weighs more than any number of approvals.

    Raises:
        GateError: the configuration names a group that the environment does not have.
    """
    electorate = Electorate(config, promotion)
    electorate.check_groups()
    deadline = opened_at + config.timeout
    tally = counted(electorate, votes, deadline)
    approvals = tally.approvals
    filled = count(electorate.seats, [vote.right_of for vote in approvals])
    reminded = reminders(config, opened_at, now)
    attributes = _attributes(config, filled, len(approvals), opened_at, now)
    inputs = _inputs(tally)
    evidence = _evidence(config, filled)

    rejection = tally.rejection
    if rejection is not None:
        comment = shorten(rejection.comment, width=_COMMENT_WIDTH, placeholder=" …")
        reason = f"rejected by {_voter(rejection)}" + (f": {comment}" if comment else "")
        return Deny(
            reason=reason,
            rejected_by=rejection.user,
            attributes=attributes,
            inputs=inputs,
            evidence=evidence,
        )
    required = sum(quorum.required for quorum in config.all_quorums)
    if not config.allow_committers and not promotion.release.committers:
        reason = (
            "the release does not name its committers, who may not approve it; register one that "
            "does (`committers` in the release file)"
        )
        return Deny(reason=reason, attributes=attributes)
    if filled.total >= required:
        reason = f"approved by {listed((_voter(vote) for vote in approvals), 'and')}"
        return Allow(reason=reason, attributes=attributes, inputs=inputs, evidence=evidence)
    never = _never(electorate, required, approvals, now)
    if never:
        return Deny(reason=never, attributes=attributes, inputs=inputs, evidence=evidence)
    progress = _progress(config, filled, required)
    if now >= deadline:
        reason = f"{progress} within {durationpy.to_str(config.timeout)}; ask for a new promotion"
        return Deny(reason=reason, attributes=attributes, inputs=inputs, evidence=evidence)
    waiting = dict(_waiting(electorate, filled, approvals, now))
    return Defer(
        reason=f"{progress}; waiting for {listed(waiting.values(), 'or')}",
        until=deadline,
        recheck_at=reminded.next,
        who=tuple(sorted(waiting)),
        attributes={**attributes, DEADLINE: deadline.isoformat()},
        inputs=inputs,
        evidence=evidence,
    )


def _attributes(
    config: ApprovalConfig, filled: Count, received: int, opened_at: datetime, now: datetime
) -> dict[str, AttributeValue]:
    required = sum(quorum.required for quorum in config.all_quorums)
    attributes: dict[str, AttributeValue] = {
        "approval.required": required,
        "approval.received": received,
        "approval.wait_seconds": (now - opened_at).total_seconds(),
    }
    if config.quorums:
        attributes["approval.missing"] = required - filled.total
    if config.remind or config.remind_every is not None:
        attributes[REMINDERS] = reminders(config, opened_at, now).due
    return attributes


def _inputs(tally: Counted) -> dict[str, Digest]:
    return {f"vote/{user}": word.digest for user, word in tally.signed.items()}


def _evidence(config: ApprovalConfig, filled: Count) -> dict[str, Json]:
    quorums: list[Json] = [
        {"of": _label(quorum), "required": quorum.required, "filledBy": list(voters)}
        for quorum, voters in zip(config.all_quorums, filled.filled, strict=True)
    ]
    return {"quorums": quorums}


def _waiting(
    electorate: Electorate, filled: Count, approvals: Iterable[Vote], now: datetime
) -> Iterator[tuple[str, str]]:
    """Everybody whose approval would fill a place, and what they are called in a sentence."""
    used = {vote.right_of for vote in approvals}
    voted = {vote.user for vote in approvals}
    wanted = {
        person
        for (people, _), helps in zip(electorate.seats, filled.helpful, strict=True)
        if helps
        for person in people
    }
    told = set()
    stand_ins = []
    for right in sorted(wanted - used):
        for person in electorate.may_act(right, now, voted):
            if person == right:
                told.add(person)
                yield person, person
            else:
                stand_ins.append((person, right))
    for person, right in stand_ins:
        if person not in told:
            told.add(person)
            yield person, f"{person} (for {right})"


def _never(
    electorate: Electorate, required: int, approvals: Sequence[Vote], now: datetime
) -> str | None:
    """Why the approval cannot be met any more, if it cannot."""
    used = {vote.right_of for vote in approvals}
    voted = {vote.user for vote in approvals}
    able = [
        right for right in sorted(electorate.people - used) if electorate.may_act(right, now, voted)
    ]
    possible = count(electorate.seats, [*(vote.right_of for vote in approvals), *able]).total
    if possible >= required:
        return None
    can = sorted({*used, *able})
    who = f" ({listed(can, 'and')})" if can else ""
    reasons = [f"{person} {why}" for person, why in electorate.unable(now).items()]
    since = f", since {listed(reasons, 'and')}" if reasons else ""
    different = " by different people" if electorate.config.quorums else ""
    return (
        f"{required} approvals{different} are required, but only {possible} can be given{who}"
        f"{since}; name more people, or let somebody else ask"
    )


def _progress(config: ApprovalConfig, filled: Count, required: int) -> str:
    text = f"{filled.total} of {required} approvals"
    if not config.quorums:
        return text
    parts = (
        f"{len(voters)} of {quorum.required} by {_label(quorum)}"
        for quorum, voters in zip(config.quorums, filled.filled, strict=True)
    )
    return f"{text} ({', '.join(parts)})"


def _label(quorum: Quorum) -> str:
    return listed((*quorum.groups, *quorum.users), "or")


def _voter(vote: Vote) -> str:
    return vote.user if vote.on_behalf_of is None else f"{vote.user} for {vote.on_behalf_of}"
