"""Who has a say in one approval, by their own right or for somebody else, and who may not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from engine.errors import GateError
from engine.model.approval import Vote, VoteDecision
from engine.model.environment import Delegation
from engine.model.gate_config import ApprovalConfig, Groups
from engine.model.promotion import PromotionSnapshot
from engine.model.quorum import Seats

_PEOPLE_NAMED = 5


@dataclass(frozen=True)
class Electorate:
    """The people of one approval of one promotion.

    A right to vote is somebody's own. Somebody else may use it in their place while a delegation
    from them is in force, and nobody hands on a right that is not their own.
    """

    config: ApprovalConfig
    promotion: PromotionSnapshot

    @property
    def groups(self) -> Groups:
        """The environment's people by group."""
        return self.promotion.environment.groups

    @cached_property
    def people(self) -> frozenset[str]:
        """Whose right it is to vote."""
        return frozenset(self.config.people(self.groups))

    @cached_property
    def excluded(self) -> dict[str, str]:
        """Who may not approve, and why, in a clause that begins with `who`."""
        found = {}
        if not self.config.allow_committers:
            for person in self.promotion.release.committers:
                found[person] = "has committed to this release"
        if not self.config.allow_requester:
            found[self.promotion.requested_by] = "asked for this promotion"
        return found

    @property
    def seats(self) -> Seats:
        """The quorums without those who may not approve."""
        return self.config.seats(self.groups, besides=self.excluded.keys())

    def check_groups(self) -> None:
        """Raise `GateError` when a quorum names a group that the environment does not have."""
        named = (name for quorum in self.config.all_quorums for name in quorum.groups)
        unknown = [name for name in dict.fromkeys(named) if name not in self.groups]
        if unknown:
            raise GateError(f"the environment has no group called {', '.join(unknown)}")

    def delegations(self, at: datetime) -> Iterator[Delegation]:
        """The delegations of rights of this approval that are in force at `at`."""
        for each in self.promotion.environment.delegations:
            if each.giver in self.people and each.giver != each.to and at < each.until:
                yield each

    def givers(self, user: str, at: datetime) -> tuple[str, ...]:
        """Whose rights `user` may use at `at`, besides their own."""
        return tuple(dict.fromkeys(one.giver for one in self.delegations(at) if one.to == user))

    def has_say(self, vote: Vote) -> bool:
        """Whether the voter may say so: rejecting is open to all who may vote."""
        if vote.on_behalf_of is None:
            entitled = vote.user in self.people
        else:
            entitled = vote.on_behalf_of in self.givers(vote.user, vote.at)
        if not entitled or vote.decision is VoteDecision.REJECT:
            return entitled
        return vote.user not in self.excluded and vote.right_of not in self.excluded

    def may_act(self, right: str, at: datetime, voted: Iterable[str]) -> tuple[str, ...]:
        """Who could approve at `at` by the right of `right`, in person first.

        Args:
            voted: people who have voted already.
        """
        if right in self.excluded:
            return ()
        candidates = [right, *(one.to for one in self.delegations(at) if one.giver == right)]
        barred = {*self.excluded, *voted}
        return tuple(
            person
            for person in dict.fromkeys(candidates)
            if person not in barred and self._can_sign(person, at)
        )

    def _can_sign(self, person: str, at: datetime) -> bool:
        if not self.config.signed:
            return True
        keys = self.promotion.environment.keys.get(person, ())
        return any(key.until is None or at < key.until for key in keys)

    def unable(self, at: datetime) -> dict[str, str]:
        """Who has a right but cannot approve at `at`, nor anybody for them, and why."""
        found = {}
        for person in sorted(self.people):
            if person in self.excluded:
                found[person] = self.excluded[person]
            elif not self.may_act(person, at, ()):
                found[person] = "has no valid key"
        return found


def listed(users: Iterable[str], last: str) -> str:
    """Names for a sentence; of many the first few, and how many more there are."""
    named = list(users)
    if len(named) > _PEOPLE_NAMED:
        named = [*named[: _PEOPLE_NAMED - 1], f"{len(named) - _PEOPLE_NAMED + 1} more"]
    if len(named) < 2:
        return "".join(named)
    return f"{', '.join(named[:-1])} {last} {named[-1]}"
