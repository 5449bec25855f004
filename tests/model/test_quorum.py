from __future__ import annotations

from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from engine.model.quorum import Seats, count

PEOPLE = "abcdef"
SEATS = st.lists(
    st.tuples(st.frozensets(st.sampled_from(PEOPLE)), st.integers(1, 3)), min_size=1, max_size=3
)
VOTERS = st.lists(st.sampled_from(PEOPLE), unique=True)


def most(seats: Seats, voters: list[str]) -> int:
    """How many places can be filled, found by trying every way to seat every voter."""
    best = 0
    for places in product([None, *range(len(seats))], repeat=len(voters)):
        is_possible = all(
            place is None or voter in seats[place][0]
            for voter, place in zip(voters, places, strict=True)
        ) and all(places.count(index) <= required for index, (_, required) in enumerate(seats))
        if is_possible:
            best = max(best, sum(place is not None for place in places))
    return best


@given(seats=SEATS, voters=VOTERS)
def test_fills_as_many_places_as_any_way_of_seating(seats: Seats, voters: list[str]) -> None:
    counted = count(seats, voters)
    assert counted.total == most(seats, voters)
    seated = [voter for quorum in counted.filled for voter in quorum]
    assert len(set(seated)) == len(seated)
    assert set(seated) <= set(voters)
    for (people, required), filled in zip(seats, counted.filled, strict=True):
        assert set(filled) <= set(people)
        assert len(filled) <= required


@given(seats=SEATS, voters=VOTERS)
def test_says_whose_vote_would_help(seats: Seats, voters: list[str]) -> None:
    counted = count(seats, voters)
    for newcomer in set(PEOPLE) - set(voters):
        helps = any(
            helpful and newcomer in people
            for (people, _), helpful in zip(seats, counted.helpful, strict=True)
        )
        assert helps == (most(seats, [*voters, newcomer]) > counted.total)


@given(seats=SEATS)
def test_more_voters_never_fill_fewer_places(seats: Seats) -> None:
    for size in range(len(PEOPLE)):
        for voters in combinations(PEOPLE, size):
            assert count(seats, [*voters, PEOPLE[-1]]).total >= count(seats, voters).total


def test_moves_somebody_who_belongs_to_both_to_where_only_they_can_go() -> None:
    seats = [({"ann", "bea"}, 1), ({"ann"}, 1)]
    assert count(seats, ["ann"]).filled == (("ann",), ())
    assert count(seats, ["ann", "bea"]).filled == (("bea",), ("ann",))
