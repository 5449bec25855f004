"""Which votes are taken: the check before a vote becomes part of a promotion.

A vote that is refused here leaves nothing behind. One that is taken counts only where the gate that
it is for finds so (`engine.gates.counting`), which believes nothing that was decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.approvals.statement import Word
from engine.approvals.verify import SignedWord, verify
from engine.errors import EvidenceError, InputError
from engine.gates.approval_rules import Rule
from engine.gates.counting import is_news, withdrawals
from engine.gates.electorate import Electorate, listed
from engine.model.approval import Vote, VoteDecision, VoteInput, WithdrawInput
from engine.model.base import Json
from engine.model.promotion import PromotionSnapshot

_TWICE = "and each person has one vote"


def taken_vote(
    promotion: PromotionSnapshot,
    rules: Sequence[Rule],
    votes: Sequence[Vote],
    given: VoteInput,
    decision: VoteDecision,
    now: datetime,
) -> Vote:
    """The vote that `given` makes, when it can count in one of the approvals.

    Args:
        rules: all approvals of the promotion.
        votes: those taken so far, oldest first.

    Raises:
        InputError: it cannot count; the message says why, and what can be done.
    """
    return _Booth(promotion, rules, votes, now).vote(given, decision)


def taken_back(
    promotion: PromotionSnapshot,
    rules: Sequence[Rule],
    votes: Sequence[Vote],
    given: WithdrawInput,
    now: datetime,
) -> Vote:
    """The person's vote as withdrawn.

    Raises:
        InputError: there is none, or it cannot be taken back; the message says why.
    """
    return _Booth(promotion, rules, votes, now).withdrawal(given)


@dataclass(frozen=True)
class _Booth:
    promotion: PromotionSnapshot
    rules: Sequence[Rule]
    votes: Sequence[Vote]
    now: datetime

    def vote(self, given: VoteInput, decision: VoteDecision) -> Vote:
        if given.binding is not None and given.binding != self.promotion.binding:
            raise InputError(
                "binding",
                "the release, template or policy is not the one that was seen",
                f"look again: promote status {self.promotion.promotion_id}",
            )
        self._check_open(decision)
        self._check_unused(given.user)
        right = self._right(given)
        if decision is VoteDecision.APPROVE:
            self._check_duties(given.user, right or given.user)
        vote = Vote(
            user=given.user,
            decision=decision,
            comment=given.comment,
            binding=self.promotion.binding,
            at=self._moment(given.user),
            on_behalf_of=right,
            envelope=given.envelope,
            is_signed=given.envelope is not None,
        )
        word = self._signed(
            given.envelope, Word(decision.value), given.user, right, vote.comment, vote.right_of
        )
        if word is not None and not is_news(word, self._taken_back().get(given.user)):
            raise InputError(
                "envelope",
                f"it was signed before {given.user} took the earlier vote back",
                "sign again",
            )
        return vote

    def withdrawal(self, given: WithdrawInput) -> Vote:
        vote = self._standing(given.user)
        if vote is None:
            raise InputError("user", f"{given.user} has no vote to take back")
        if vote.decision is VoteDecision.REJECT:
            raise InputError("user", f"{given.user} has rejected it, which is final")
        self._check_open("withdraw")
        if not any(self._counts_in(rule, vote) for rule in self._open()):
            raise InputError(
                "withdraw", f"what {given.user} has approved has had its approvals already"
            )
        word = self._signed(
            given.envelope,
            Word.WITHDRAW,
            vote.user,
            vote.on_behalf_of,
            given.reason,
            vote.right_of,
            always=vote.envelope is not None,
        )
        if word is not None and vote.envelope is not None:
            approved = self._verified(
                vote.envelope, Word.APPROVE, vote.user, vote.on_behalf_of, vote.comment, vote.at
            )
            if word.signed_at <= approved.signed_at:
                raise InputError(
                    "envelope", "it was signed before the vote was given", "sign again"
                )
        return vote.model_copy(
            update={
                "withdrawn_at": self.now,
                "withdrawal_reason": given.reason,
                "withdrawal_envelope": given.envelope,
            }
        )

    def _open(self) -> list[Rule]:
        return [rule for rule in self.rules if not rule.closed]

    def _check_open(self, what: str) -> None:
        if not self.rules:
            raise InputError("user", "this promotion requires no approval")
        if not self._open():
            reasons = "; ".join(f"{rule.name} {rule.closed}" for rule in self.rules)
            raise InputError(
                what,
                f"nothing in it asks for votes any more: {reasons}",
                f"stop it with: promote cancel {self.promotion.promotion_id}",
            )

    def _standing(self, user: str) -> Vote | None:
        bound = (vote for vote in self._valid() if vote.user == user)
        return next(bound, None)

    def _valid(self) -> Iterator[Vote]:
        for vote in self.votes:
            if vote.withdrawn_at is None and vote.binding == self.promotion.binding:
                yield vote

    def _check_unused(self, user: str) -> None:
        before = self._standing(user)
        if before is None:
            return
        how = "" if before.on_behalf_of is None else f", on behalf of {before.on_behalf_of}"
        raise InputError(
            "user",
            f"{user} has voted already{how}, {_TWICE}",
            "" if before.decision is VoteDecision.REJECT else "withdraw that one first",
        )

    def _moment(self, user: str) -> datetime:
        """Now, but after the person's votes before: user and moment tell a vote from all others."""
        latest = [vote.at for vote in self.votes if vote.user == user]
        return max([self.now, *(at + timedelta(microseconds=1) for at in latest)])

    def _right(self, given: VoteInput) -> str | None:
        """On whose behalf the vote is given; None for the person's own.

        Raises:
            InputError: they have no right to vote, or it is used.
        """
        user, wanted = given.user, given.on_behalf_of
        if wanted is not None and wanted != user:
            self._check_delegation(user, wanted)
            self._check_right(wanted)
            return wanted
        if any(rule.config is None or user in self._people(rule) for rule in self._open()):
            self._check_right(user)
            return None
        givers = self._givers(user)
        if len(givers) > 1:
            raise InputError(
                "on_behalf_of",
                f"{user} may vote for {listed(givers, 'or')}",
                "say for whom: --on-behalf-of NAME",
            )
        if givers:
            self._check_right(givers[0])
            return givers[0]
        raise self._stranger(user)

    def _givers(self, user: str) -> list[str]:
        found = {giver: None for rule in self._open() for giver in self._in_force(rule, user)}
        used = {vote.right_of for vote in self._valid()}
        return [giver for giver in found if giver not in used] or list(found)

    def _in_force(self, rule: Rule, user: str) -> tuple[str, ...]:
        electorate = rule.electorate(self.promotion)
        return () if electorate is None else electorate.givers(user, self.now)

    def _check_delegation(self, user: str, giver: str) -> None:
        if any(giver in self._in_force(rule, user) for rule in self._open()):
            return
        given = [
            each
            for each in self.promotion.environment.delegations
            if each.giver == giver and each.to == user
        ]
        if not given:
            problem = f"{giver} has not delegated to {user}"
        elif all(each.until <= self.now for each in given):
            ended = max(each.until for each in given)
            problem = f"the delegation from {giver} to {user} ended at {_moment(ended)}"
        else:
            # Nobody hands on what they were given themselves.
            problem = f"{giver} has no vote of their own in what is open here"
        raise InputError("on_behalf_of", problem)

    def _check_right(self, right: str) -> None:
        by = next((vote for vote in self._valid() if vote.right_of == right), None)
        if by is not None:
            raise InputError(
                "on_behalf_of" if by.user == right else "user",
                f"{by.user} has voted already"
                + ("" if by.user == right else f" on behalf of {right}")
                + f", {_TWICE}",
            )

    def _stranger(self, user: str) -> InputError:
        for rule in self.rules:
            if rule.closed and user in self._people(rule):
                return InputError("user", f"{rule.name}, where {user} may vote, {rule.closed}")
        ended = [
            each
            for each in self.promotion.environment.delegations
            if each.to == user and each.until <= self.now
        ]
        if ended:
            latest = max(ended, key=lambda each: each.until)
            return InputError(
                "user",
                f"{user!r} may not vote on this promotion; "
                f"the delegation from {latest.giver} ended at {_moment(latest.until)}",
            )
        people = sorted({person for rule in self._open() for person in self._people(rule)})
        who = f"it is for {listed(people, 'or')}" if people else "nobody is eligible"
        return InputError("user", f"{user!r} may not vote on this promotion; {who}")

    def _people(self, rule: Rule) -> frozenset[str]:
        electorate = rule.electorate(self.promotion)
        return frozenset() if electorate is None else electorate.people

    def _check_duties(self, user: str, right: str) -> None:
        why = ""
        for rule in self._open():
            electorate = rule.electorate(self.promotion)
            if electorate is None:
                return
            if right not in electorate.people:
                continue
            barred = next((one for one in (user, right) if one in electorate.excluded), None)
            if barred is None:
                return
            why = f"{barred} {electorate.excluded[barred]}"
        if why:
            raise InputError(
                "user",
                f"{why} and may not approve it as well (separation of duties)",
                "somebody else has to",
            )

    def _counts_in(self, rule: Rule, vote: Vote) -> bool:
        electorate = rule.electorate(self.promotion)
        return electorate is None or electorate.has_say(vote)

    def _signed(
        self,
        envelope: dict[str, Json] | None,
        word: Word,
        user: str,
        on_behalf_of: str | None,
        comment: str,
        right: str,
        *,
        always: bool = False,
    ) -> SignedWord | None:
        if envelope is not None:
            return self._verified(envelope, word, user, on_behalf_of, comment, self.now)
        electorates: list[Electorate | None] = [
            rule.electorate(self.promotion) for rule in self._open()
        ]
        if always or any(
            one is not None and one.config.signed and right in one.people for one in electorates
        ):
            raise InputError(
                "envelope",
                "is missing; here each vote has to be signed with a registered key of its voter",
                f"promote {word} {self.promotion.promotion_id} --user {user} --key FILE",
            )
        return None

    def _verified(
        self,
        envelope: dict[str, Json],
        word: Word,
        user: str,
        on_behalf_of: str | None,
        comment: str,
        at: datetime,
    ) -> SignedWord:
        try:
            return verify(
                envelope,
                self.promotion,
                word,
                user,
                at,
                comment=comment,
                on_behalf_of=on_behalf_of,
            )
        except EvidenceError as error:
            raise InputError("envelope", str(error)) from error

    def _taken_back(self) -> dict[str, datetime]:
        return withdrawals(self.promotion, self.votes)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
