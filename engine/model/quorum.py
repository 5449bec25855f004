"""Which vote fills which place, where several quorums have to be met.

A vote fills one place in one quorum. Somebody who belongs to several of them is counted where that
brings the whole furthest: a maximum bipartite matching, found by augmenting paths
(https://en.wikipedia.org/wiki/Maximum_cardinality_matching).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

Seats = Sequence[tuple[Collection[str], int]]
"""The quorums: who belongs to each, and how many of them it needs."""


@dataclass(frozen=True)
class Count:
    """How far a set of votes goes.

    Attributes:
        filled: by quorum, whose votes fill its places.
        helpful: by quorum, whether one more vote of somebody in it would fill a place somewhere.
    """

    filled: tuple[tuple[str, ...], ...]
    helpful: tuple[bool, ...]

    @property
    def total(self) -> int:
        """How many places are filled."""
        return sum(len(voters) for voters in self.filled)


def count(seats: Seats, voters: Iterable[str]) -> Count:
    """Fill as many places as can be filled, earlier voters first.

    Args:
        voters: each once; one who belongs to no quorum fills no place.
    """
    filled: list[list[str]] = [[] for _ in seats]
    for voter in voters:
        _seat(voter, seats, filled, set())
    return Count(
        filled=tuple(tuple(each) for each in filled), helpful=tuple(_helpful(seats, filled))
    )


def _seat(voter: str, seats: Seats, filled: list[list[str]], tried: set[int]) -> bool:
    """Seat one voter, moving others to quorums that they belong to as well where that helps."""
    for index, (people, required) in enumerate(seats):
        if index in tried or voter not in people:
            continue
        tried.add(index)
        if len(filled[index]) < required:
            filled[index].append(voter)
            return True
        for place, other in enumerate(filled[index]):
            if _seat(other, seats, filled, tried):
                filled[index][place] = voter
                return True
    return False


def _helpful(seats: Seats, filled: list[list[str]]) -> list[bool]:
    """A quorum that is full helps when one of its voters could move on to one that helps."""
    helpful = [len(voters) < required for voters, (_, required) in zip(filled, seats, strict=True)]
    changed = True
    while changed:
        changed = False
        for index, voters in enumerate(filled):
            if not helpful[index] and any(
                helps and voter in people
                for voter in voters
                for helps, (people, _) in zip(helpful, seats, strict=True)
            ):
                helpful[index] = changed = True
    return helpful
