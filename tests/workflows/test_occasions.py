"""Votes told twice, or in another order than they were given, come to the same."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from engine.model.approval import Vote
from tests.gates.builders import NOON, promotion, vote
from workflows.occasions import Occasions

GIVEN = vote(promotion(), "bob")
WITHDRAWN = GIVEN.model_copy(
    update={"withdrawn_at": NOON + timedelta(minutes=1), "withdrawal_reason": "too early"}
)
AGAIN = vote(promotion(), "bob", at=NOON + timedelta(minutes=2))
OTHER = vote(promotion(), "carol")


def standing(votes: tuple[Vote, ...]) -> set[tuple[str, str]]:
    return {(one.user, one.at.isoformat()) for one in votes if one.withdrawn_at is None}


@pytest.mark.parametrize("told", list(permutations([GIVEN, WITHDRAWN, AGAIN, OTHER, GIVEN])))
@pytest.mark.parametrize("started_with", [(), (GIVEN,), (WITHDRAWN,)])
def test_what_was_withdrawn_stays_so(
    told: tuple[Vote, ...], started_with: tuple[Vote, ...]
) -> None:
    for is_late in (False, True):
        occasions = Occasions()
        if not is_late:
            occasions.start_with(started_with)
        for one in told:
            occasions.take_vote(one)
        if is_late:
            occasions.start_with(started_with)
        assert standing(occasions.votes) == standing((AGAIN, OTHER))
        assert len(occasions.votes) == 3
        (withdrawn,) = (one for one in occasions.votes if one.withdrawn_at is not None)
        assert withdrawn.withdrawal_reason == "too early"


def test_news_is_told_to_whoever_waits_and_a_repetition_is_not() -> None:
    occasions = Occasions()
    counts = []
    for one in (GIVEN, GIVEN, WITHDRAWN, WITHDRAWN, GIVEN):
        occasions.take_vote(one)
        counts.append(occasions.count)
    assert counts == [1, 1, 2, 2, 2]
