from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine.errors import GateError
from engine.gates.approval import ApprovalGate, decide
from engine.model.approval import Vote, VoteDecision
from engine.model.base import Json
from engine.model.canonical import digest_of
from engine.model.gate_config import ApprovalConfig
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import Allow, Defer, Deny, Verdict
from tests.gates.builders import NOON, Services, context, promotion, vote

APPROVE, REJECT = VoteDecision.APPROVE, VoteDecision.REJECT
TWO_OF_THREE: dict[str, Json] = {"required": 2, "groups": ["leads", "ops"]}
OTHER_BINDING = digest_of("another release")


def _verdict(
    votes: Sequence[Vote],
    config: dict[str, Json] = TWO_OF_THREE,
    after: timedelta = timedelta(0),
    snapshot: PromotionSnapshot | None = None,
) -> Verdict:
    return decide(
        ApprovalConfig.model_validate(config), snapshot or promotion(), votes, NOON, NOON + after
    )


def _vote(user: str, decision: str = "approve", **other: Any) -> Vote:
    return vote(promotion(), user, decision, **other)


def test_without_votes_it_waits_for_everybody_who_may_vote_until_the_timeout() -> None:
    verdict = _verdict([], after=timedelta(minutes=1, milliseconds=500))
    assert verdict == Defer(
        reason="0 of 2 approvals; waiting for bob, carol or dave",
        until=NOON + timedelta(hours=72),
        who=("bob", "carol", "dave"),
        attributes={
            "approval.required": 2,
            "approval.received": 0,
            "approval.wait_seconds": 60.5,
            "approval.deadline": "2026-03-05T12:00:00+00:00",
        },
        evidence={"quorums": [{"of": "leads or ops", "required": 2, "filledBy": []}]},
    )


def test_after_one_approval_it_waits_for_the_others() -> None:
    verdict = _verdict([_vote("bob")])
    assert isinstance(verdict, Defer)
    assert verdict.reason == "1 of 2 approvals; waiting for carol or dave"
    assert verdict.who == ("carol", "dave")
    assert verdict.attributes["approval.received"] == 1


def test_enough_approvals_allow_and_are_named() -> None:
    verdict = _verdict([_vote("dave"), _vote("bob")])
    assert isinstance(verdict, Allow)
    assert verdict.reason == "approved by dave and bob"
    assert verdict.attributes["approval.received"] == 2


def test_a_person_counts_once() -> None:
    verdict = _verdict([_vote("bob"), _vote("bob")])
    assert isinstance(verdict, Defer)
    assert verdict.attributes["approval.received"] == 1


def test_a_vote_bound_to_something_else_does_not_count() -> None:
    stale = _vote("carol", binding=OTHER_BINDING)
    rejecting = _vote("dave", "reject", binding=OTHER_BINDING)
    verdict = _verdict([_vote("bob"), stale, rejecting])
    assert isinstance(verdict, Defer)
    assert verdict.who == ("carol", "dave")


def test_a_stranger_neither_approves_nor_rejects() -> None:
    verdict = _verdict([_vote("mallory"), _vote("trudy", "reject")])
    assert isinstance(verdict, Defer)
    assert verdict.attributes["approval.received"] == 0


def test_a_rejection_denies_whatever_else_was_said() -> None:
    votes = [_vote("bob"), _vote("carol"), _vote("dave", "reject", comment="not\nbefore  Monday")]
    verdict = _verdict(votes)
    assert isinstance(verdict, Deny)
    assert verdict.rejected_by == "dave"
    assert verdict.reason == "rejected by dave: not before Monday"
    assert verdict.attributes["approval.received"] == 2


def test_a_very_long_comment_is_cut() -> None:
    verdict = _verdict([_vote("dave", "reject", comment="no " * 10_000)])
    assert len(verdict.reason) < 250


class TestRequester:
    CONFIG: dict[str, Json] = {"required": 1, "users": ["alice", "bob"]}  # noqa: RUF012 never changed

    def test_does_not_approve_their_own_promotion(self) -> None:
        verdict = _verdict([_vote("alice")], self.CONFIG)
        assert isinstance(verdict, Defer)
        assert verdict.who == ("bob",)

    def test_approves_it_where_that_is_allowed(self) -> None:
        verdict = _verdict([_vote("alice")], self.CONFIG | {"allow_requester": True})
        assert isinstance(verdict, Allow)

    def test_may_reject_it(self) -> None:
        verdict = _verdict([_vote("alice", "reject")], self.CONFIG)
        assert isinstance(verdict, Deny)
        assert verdict.rejected_by == "alice"

    def test_may_reject_it_after_an_approval_that_does_not_count(self) -> None:
        verdict = _verdict([_vote("alice"), _vote("alice", "reject")], self.CONFIG)
        assert isinstance(verdict, Deny)


class TestTimeout:
    CONFIG = TWO_OF_THREE | {"timeout": "90m"}

    def test_denies_at_the_very_moment(self) -> None:
        verdict = _verdict([_vote("bob")], self.CONFIG, timedelta(minutes=90))
        assert isinstance(verdict, Deny)
        assert verdict.reason == "1 of 2 approvals within 1h30m; ask for a new promotion"
        assert verdict.rejected_by is None
        assert verdict.attributes["approval.wait_seconds"] == 5400.0

    def test_waits_until_just_before(self) -> None:
        just_before = timedelta(minutes=90) - timedelta(microseconds=1)
        assert isinstance(_verdict([_vote("bob")], self.CONFIG, just_before), Defer)

    def test_does_not_undo_approvals_that_came_in_time(self) -> None:
        in_time = [_vote("bob"), _vote("carol", at=NOON + timedelta(minutes=90))]
        assert isinstance(_verdict(in_time, self.CONFIG, timedelta(days=2)), Allow)

    def test_leaves_later_approvals_out(self) -> None:
        late = [_vote("bob"), _vote("carol", at=NOON + timedelta(minutes=91))]
        assert isinstance(_verdict(late, self.CONFIG, timedelta(days=2)), Deny)


@pytest.mark.parametrize(
    ("config", "requested_by", "reason"),
    [
        (
            {"required": 2, "users": ["alice", "bob"]},
            "alice",
            "2 approvals are required, but only 1 can be given (bob), since alice asked for this "
            "promotion; name more people, or let somebody else ask",
        ),
        (
            {"required": 3, "groups": ["leads"], "allow_requester": True},
            "bob",
            "3 approvals are required, but only 2 can be given (bob and carol); name more people, "
            "or let somebody else ask",
        ),
        (
            {"groups": ["empty"]},
            "alice",
            "1 approvals are required, but only 0 can be given; name more people, or let somebody "
            "else ask",
        ),
    ],
)
def test_what_can_never_be_met_is_denied_at_once(
    config: dict[str, Json], requested_by: str, reason: str
) -> None:
    verdict = _verdict([], config, snapshot=promotion(requested_by=requested_by))
    assert isinstance(verdict, Deny)
    assert verdict.reason == reason


def test_a_group_that_the_environment_lacks_is_an_error() -> None:
    with pytest.raises(GateError, match="no group called nobody"):
        _verdict([], {"groups": ["leads", "nobody"]})


def test_a_long_list_of_people_is_shortened_in_words_only() -> None:
    users = [f"user{number}" for number in range(20)]
    verdict = _verdict([], {"users": list(users)})
    assert isinstance(verdict, Defer)
    assert verdict.reason == (
        "0 of 1 approvals; waiting for user0, user1, user10, user11 or 16 more"
    )
    assert len(verdict.who) == 20


async def test_the_gate_decides_over_its_context() -> None:
    ctx = context(
        "approval",
        TWO_OF_THREE,
        votes=[_vote("bob"), _vote("carol")],
        opened_at=NOON - timedelta(hours=1),
        now=NOON,
    )
    verdict = await ApprovalGate().evaluate(ctx, Services())
    assert isinstance(verdict, Allow)
    assert verdict.attributes["approval.wait_seconds"] == 3600.0
    assert await ApprovalGate().evaluate(ctx, Services()) == verdict


async def test_the_gate_refuses_an_unusable_configuration() -> None:
    with pytest.raises(GateError, match=r"gates\.checked\.config\.required"):
        await ApprovalGate().evaluate(context("approval", {"required": 0}), Services())


def test_a_verdict_survives_the_wire_with_its_types() -> None:
    adapter: TypeAdapter[Verdict] = TypeAdapter(Verdict)
    verdict = _verdict([_vote("bob")], after=timedelta(hours=1))
    back = adapter.validate_json(adapter.dump_json(verdict))
    assert back == verdict
    assert isinstance(back.attributes["approval.wait_seconds"], float)
    assert isinstance(back.attributes["approval.required"], int)


_PEOPLE = st.sampled_from(["alice", "bob", "carol", "dave", "mallory"])
_VOTES = st.lists(
    st.builds(
        _vote,
        _PEOPLE,
        st.sampled_from(["approve", "approve", "approve", "reject"]),
        binding=st.sampled_from([None, None, OTHER_BINDING]),
        at=st.integers(0, 100).map(lambda hours: NOON + timedelta(hours=hours)),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(
    votes=_VOTES,
    required=st.integers(1, 3),
    allow_requester=st.booleans(),
    hours=st.integers(0, 100),
)
def test_verdicts_follow_from_the_countable_votes(
    votes: list[Vote], required: int, allow_requester: bool, hours: int
) -> None:
    snapshot = promotion()
    people = {"alice", "bob", "carol", "dave"}
    config: dict[str, Json] = {
        "required": required,
        "groups": ["leads", "ops"],
        "users": ["alice"],
        "allow_requester": allow_requester,
    }
    verdict = _verdict(votes, config, timedelta(hours=hours), snapshot)

    approvers = people if allow_requester else people - {"alice"}
    said: dict[str, VoteDecision] = {}
    for each in votes:
        late = each.at > NOON + timedelta(hours=72)
        if each.binding != snapshot.binding or each.user not in people:
            continue
        if each.decision is APPROVE and (late or each.user not in approvers):
            continue
        said.setdefault(each.user, each.decision)
    approved = [user for user, decision in said.items() if decision is APPROVE]

    assert verdict.attributes["approval.received"] == len(approved)
    if REJECT in said.values():
        assert isinstance(verdict, Deny)
        assert verdict.rejected_by in said
    elif len(approved) >= required:
        assert isinstance(verdict, Allow)
    elif hours >= 72:
        assert isinstance(verdict, Deny)
        assert verdict.rejected_by is None
    else:
        assert isinstance(verdict, Defer)
        assert set(verdict.who) == approvers - set(approved)
