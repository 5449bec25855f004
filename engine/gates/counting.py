"""Which votes count in one approval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.approvals.statement import Word
from engine.approvals.verify import SignedWord, verify
from engine.errors import EvidenceError
from engine.gates.electorate import Electorate
from engine.model.approval import Vote, VoteDecision
from engine.model.promotion import PromotionSnapshot


@dataclass(frozen=True)
class Counted:
    """The votes that count, each person's one, in the order in which they were given.

    Attributes:
        signed: by voter, what they signed; of all of them where the approval asks for signatures,
            and else of none.
    """

    votes: tuple[Vote, ...]
    signed: dict[str, SignedWord]

    @property
    def approvals(self) -> tuple[Vote, ...]:
        """Those in favour."""
        return tuple(vote for vote in self.votes if vote.decision is VoteDecision.APPROVE)

    @property
    def rejection(self) -> Vote | None:
        """The first one against."""
        return next((each for each in self.votes if each.decision is VoteDecision.REJECT), None)


def counted(electorate: Electorate, votes: Sequence[Vote], deadline: datetime) -> Counted:
    """The votes that count in an approval which takes approvals until `deadline`.

    A vote counts when it is bound to this promotion's release, template and policy, was not taken
    back, comes from somebody who has that say, and, if it is in favour, came in time. Each person
    has one, and each right is used once; the first counts. Where the approval asks for signatures,
    every one of them is verified here, whatever was said of the vote before; and one that was
    signed before its voter took a vote back counts no more.
    """
    promotion = electorate.promotion
    signed_only = electorate.config.signed
    taken_back = withdrawals(promotion, votes) if signed_only else {}
    found: dict[str, Vote] = {}
    signed: dict[str, SignedWord] = {}
    used: set[str] = set()
    for vote in votes:
        # Nobody votes before the promotion exists; one that says so means to pass for in time.
        in_time = promotion.requested_at <= vote.at
        if vote.decision is VoteDecision.APPROVE:
            in_time = in_time and vote.at <= deadline
        if (
            vote.withdrawn_at is not None
            or vote.binding != promotion.binding
            or vote.user in found
            or vote.right_of in used
            or not in_time
            or not electorate.has_say(vote)
        ):
            continue
        if signed_only:
            word = _signed(promotion, vote)
            if word is None or not is_news(word, taken_back.get(vote.user)):
                continue
            signed[vote.user] = word
        found[vote.user] = vote
        used.add(vote.right_of)
    return Counted(tuple(found.values()), signed)


def withdrawals(promotion: PromotionSnapshot, votes: Sequence[Vote]) -> dict[str, datetime]:
    """When each person last signed that they take their vote back, by their own clock."""
    found: dict[str, datetime] = {}
    for vote in votes:
        if vote.withdrawal_envelope is None or vote.withdrawn_at is None:
            continue
        try:
            word = verify(
                vote.withdrawal_envelope,
                promotion,
                Word.WITHDRAW,
                vote.user,
                vote.withdrawn_at,
                on_behalf_of=vote.on_behalf_of,
            )
        except EvidenceError:
            continue
        before = found.get(vote.user)
        found[vote.user] = word.signed_at if before is None else max(before, word.signed_at)
    return found


def is_news(word: SignedWord, taken_back: datetime | None) -> bool:
    """Whether a vote was signed after its voter last signed a withdrawal.

    One signed before may be the very one that was taken back, sent again by whoever has seen it.
    """
    return taken_back is None or word.signed_at > taken_back


def _signed(promotion: PromotionSnapshot, vote: Vote) -> SignedWord | None:
    if vote.envelope is None:
        return None
    try:
        return verify(
            vote.envelope,
            promotion,
            Word(vote.decision.value),
            vote.user,
            vote.at,
            comment=vote.comment,
            on_behalf_of=vote.on_behalf_of,
        )
    except EvidenceError:
        return None
