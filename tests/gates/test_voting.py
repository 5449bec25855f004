"""Which votes a promotion takes, and how it refuses the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.gates.approval import DEADLINE, decide
from engine.model.approval import VoteDecision
from engine.model.base import Json
from engine.model.canonical import digest_of
from engine.model.gate_config import ApprovalConfig
from engine.model.promotion import StepState
from engine.model.template import Node, Template
from engine.model.verdict import Allow, Deny, GateOutcome, GateResult, GateState
from tests.approvals.voters import (
    APPROVE,
    PEOPLE,
    REJECT,
    Booth,
    asking,
    delegation,
    key_of,
    registered,
    signed,
)
from tests.gates.builders import NOON

ONE: dict[str, Json] = {"groups": ["leads"]}
SIGNED: dict[str, Json] = {**ONE, "signed": True}
KEYS = registered("bob", "carol", "dave")
LATER = NOON + timedelta(hours=2)


def refusal(act: Callable[..., object], *args: Any, **given: Any) -> str:
    with pytest.raises(InputError) as refused:
        act(*args, **given)
    return str(refused.value)


class TestOnePersonOneVote:
    def test_a_second_vote_is_refused_whatever_it_says(self) -> None:
        booth = Booth(asking(ONE))
        booth.vote("bob")
        for decision in (APPROVE, REJECT):
            told = refusal(booth.vote, "bob", decision)
            assert told == (
                "user: bob has voted already, and each person has one vote; withdraw that one first"
            )
        assert len(booth.votes) == 1

    def test_one_for_something_else_is_in_nobodys_way(self) -> None:
        booth = Booth(asking(ONE))
        first = booth.vote("bob")
        other = digest_of("another release")
        booth.votes = (first.model_copy(update={"binding": other}),)
        assert booth.vote("bob").binding == booth.about.binding

    def test_a_stranger_is_told_whose_it_is(self) -> None:
        booth = Booth(asking(ONE))
        for decision in (APPROVE, REJECT):
            told = refusal(booth.vote, "mallory", decision)
            assert told == (
                "user: 'mallory' may not vote on this promotion; it is for bob or carol"
            )

    @pytest.mark.parametrize("user", [" bob", "BOB", "bob "])
    def test_a_name_that_is_only_similar_is_a_strangers(self, user: str) -> None:
        assert "may not vote" in refusal(Booth(asking(ONE)).vote, user)

    def test_another_binding_than_the_promotions_is_refused(self) -> None:
        booth = Booth(asking(ONE))
        told = refusal(booth.vote, "bob", binding=digest_of("what bob saw"))
        assert told.startswith("binding: the release, template or policy is not the one")
        booth.vote("bob", binding=booth.about.binding)


class TestSeparationOfDuties:
    def test_the_requester_rejects_and_does_not_approve(self) -> None:
        booth = Booth(asking({"users": ["alice", "bob"]}))
        assert refusal(booth.vote, "alice") == (
            "user: alice asked for this promotion and may not approve it as well (separation of "
            "duties); somebody else has to"
        )
        booth.vote("alice", REJECT)

    def test_a_committer_is_kept_from_it_where_the_environment_says_so(self) -> None:
        booth = Booth(asking({**ONE, "allow_committers": False}, committers=["bob"]))
        assert "bob has committed to this release and may not" in refusal(booth.vote, "bob")
        Booth(asking(ONE, committers=["bob"])).vote("bob")

    def test_it_holds_for_both_sides_of_a_delegation(self) -> None:
        delegations = [delegation("alice", "erin"), delegation("bob", "alice")]
        booth = Booth(asking({"users": ["alice", "bob"]}, delegations=delegations))
        for user, giver in (("erin", "alice"), ("alice", "bob")):
            told = refusal(booth.vote, user, on_behalf_of=giver)
            assert "alice asked for this promotion" in told

    def test_one_approval_that_allows_it_is_enough(self) -> None:
        lenient: dict[str, Json] = {"users": ["alice"], "allow_requester": True}
        Booth(asking({"users": ["alice", "bob"]}, lenient)).vote("alice")


class TestDelegation:
    ABOUT = asking(ONE, delegations=[delegation("bob", "erin", hours=2), delegation("erin", "dan")])

    def test_is_meant_where_the_person_has_no_vote_of_their_own(self) -> None:
        assert Booth(self.ABOUT).vote("erin").on_behalf_of == "bob"
        assert Booth(self.ABOUT).vote("erin", on_behalf_of="bob").on_behalf_of == "bob"

    def test_ends_when_it_says(self) -> None:
        said = "the delegation from bob"
        booth = Booth(self.ABOUT)
        booth.vote("erin", now=LATER - timedelta(seconds=1))
        for whose in ({}, {"on_behalf_of": "bob"}):
            late = Booth(self.ABOUT)
            told = refusal(late.vote, "erin", now=LATER, **whose)
            assert said in told
            assert "ended at 2026-03-02 14:00:00Z" in told

    def test_is_not_handed_on(self) -> None:
        booth = Booth(self.ABOUT)
        assert "may not vote" in refusal(booth.vote, "dan")
        assert "bob has not delegated to dan" in refusal(booth.vote, "dan", on_behalf_of="bob")
        assert "erin has no vote of their own" in refusal(booth.vote, "dan", on_behalf_of="erin")

    def test_a_right_is_used_once_by_whomever(self) -> None:
        booth = Booth(self.ABOUT)
        booth.vote("erin")
        assert "erin has voted already on behalf of bob" in refusal(booth.vote, "bob")
        booth = Booth(self.ABOUT)
        booth.vote("bob")
        assert "bob has voted already" in refusal(booth.vote, "erin")

    def test_nobody_has_two_votes_by_it(self) -> None:
        booth = Booth(asking({**ONE, "required": 2}, delegations=[delegation("bob", "carol")]))
        booth.vote("carol")
        assert "carol has voted already" in refusal(booth.vote, "carol", on_behalf_of="bob")

    def test_one_of_several_has_to_be_named(self) -> None:
        several = [delegation("bob", "erin"), delegation("carol", "erin")]
        booth = Booth(asking(ONE, delegations=several))
        assert refusal(booth.vote, "erin") == (
            "on_behalf_of: erin may vote for bob or carol; say for whom: --on-behalf-of NAME"
        )
        booth.vote("bob")
        assert booth.vote("erin").on_behalf_of == "carol"


class TestWithdrawing:
    def test_takes_the_vote_back_and_lets_the_person_vote_again(self) -> None:
        booth = Booth(asking({**ONE, "required": 2}))
        booth.vote("bob", comment="fine")
        taken = booth.withdraw("bob", reason="wrong one", now=LATER)
        assert (taken.withdrawn_at, taken.withdrawal_reason) == (LATER, "wrong one")
        again = booth.vote("bob", REJECT, now=LATER)
        assert again.withdrawn_at is None
        assert len(booth.votes) == 2

    def test_votes_of_one_moment_are_told_apart(self) -> None:
        booth = Booth(asking({**ONE, "required": 2}))
        moments = {booth.vote("bob").at}
        booth.withdraw("bob")
        moments.add(booth.vote("bob").at)
        assert len(moments) == 2

    def test_what_was_not_given_or_is_final_is_refused(self) -> None:
        booth = Booth(asking(ONE))
        assert "bob has no vote to take back" in refusal(booth.withdraw, "bob")
        booth.vote("bob", REJECT)
        assert "bob has rejected it, which is final" in refusal(booth.withdraw, "bob")

    def test_twice_is_refused(self) -> None:
        booth = Booth(asking(ONE))
        booth.vote("bob")
        booth.withdraw("bob")
        assert "no vote to take back" in refusal(booth.withdraw, "bob")

    def test_after_the_gate_has_passed_it_is_refused(self) -> None:
        booth = Booth(asking(ONE, {"users": ["dave"]}))
        booth.vote("bob")
        passed = ended("first", GateOutcome.PASSED, "approved by bob")
        after = Booth(booth.about, gates=[passed])
        after.votes = booth.votes
        assert "what bob has approved has had its approvals" in refusal(after.withdraw, "bob")


def ended(name: str, outcome: GateOutcome, reason: str) -> GateState:
    result = GateResult(
        name=name, type="approval", outcome=outcome, reason=reason, started_at=NOON, ended_at=NOON
    )
    return GateState(name=name, type="approval", result=result)


class TestWhatIsOpen:
    def test_a_vote_after_the_deadline_is_refused_though_the_gate_does_not_know_yet(self) -> None:
        waiting = GateState(name="first", type="approval", attributes={DEADLINE: LATER.isoformat()})
        booth = Booth(asking(ONE, {"users": ["dave"]}), gates=[waiting])
        late = LATER + timedelta(microseconds=1)
        told = refusal(booth.vote, "bob", now=late)
        assert told == "user: first, where bob may vote, expired at 2026-03-02 14:00:00Z"
        assert "bob has not delegated" in refusal(booth.vote, "erin", on_behalf_of="bob", now=late)
        booth.vote("dave", now=late)
        booth.vote("bob", now=LATER)

    def test_nothing_that_is_open_takes_no_vote(self) -> None:
        booth = Booth(asking(ONE), gates=[ended("first", GateOutcome.PASSED, "approved by carol")])
        for decision in (APPROVE, REJECT):
            told = refusal(booth.vote, "bob", decision)
            assert "nothing in it asks for votes any more: first has ended: approved by" in told
            assert f"promote cancel {booth.about.promotion_id}" in told

    def test_a_promotion_without_approvals_takes_none(self) -> None:
        assert refusal(Booth(asking()).vote, "bob") == ("user: this promotion requires no approval")

    def test_a_step_with_people_of_its_own_takes_theirs_until_it_ends(self) -> None:
        about = asking(template=steps(Node(id="ask", type="approval", inputs={"groups": ["ops"]})))
        assert Booth(about).vote("dave").user == "dave"
        assert "may not vote" in refusal(Booth(about).vote, "bob")
        over = Booth(about, steps={"ask": state("ask", "failed")})
        assert "ask has ended without its approvals" in refusal(over.vote, "dave")

    def test_a_step_without_people_asks_those_of_the_gates_again(self) -> None:
        about = asking(ONE, template=steps(Node(id="again", type="approval")))
        passed = ended("first", GateOutcome.PASSED, "approved by carol")
        Booth(about, gates=[passed]).vote("bob")
        over = Booth(about, gates=[passed], steps={"again": state("again", "succeeded")})
        assert "asks for votes any more" in refusal(over.vote, "bob")

    def test_a_step_whose_people_are_not_known_yet_judges_votes_itself(self) -> None:
        inputs: dict[str, Json] = {"users": ["${{ params.owner }}"]}
        booth = Booth(asking(template=steps(Node(id="ask", type="approval", inputs=inputs))))
        booth.vote("anybody")

    def test_what_cannot_be_read_wants_no_vote(self) -> None:
        booth = Booth(asking({"required": "many"}, {"groups": ["nobody"]}))
        assert refusal(booth.vote, "bob").endswith("; nobody is eligible")


def steps(*nodes: Node) -> Template:
    return Template(name="custom", nodes=nodes)


def state(node_id: str, status: str) -> StepState:
    return StepState(node_id=node_id, type="approval", status=status)


class TestSigned:
    ABOUT = asking(SIGNED, keys=KEYS)

    def test_without_a_signature_neither_decision_is_taken(self) -> None:
        booth = Booth(self.ABOUT)
        for decision in (APPROVE, REJECT):
            told = refusal(booth.vote, "bob", decision)
            assert told.startswith("envelope: is missing; here each vote has to be signed")
            assert f"promote {decision} {self.ABOUT.promotion_id} --user bob --key FILE" in told

    def test_with_one_both_are(self) -> None:
        Booth(self.ABOUT).vote("bob", envelope=signed(self.ABOUT, "bob"))
        Booth(self.ABOUT).vote("bob", REJECT, envelope=signed(self.ABOUT, "bob", "reject"))

    def test_one_that_nobody_asked_for_is_verified_all_the_same(self) -> None:
        about = asking(ONE, keys=KEYS)
        Booth(about).vote("bob", envelope=signed(about, "bob"))
        forged = signed(about, "bob", by=key_of("carol"))
        assert "the signature verifies with no key" in refusal(
            Booth(about).vote, "bob", envelope=forged
        )

    def test_a_comment_that_was_not_signed_is_refused(self) -> None:
        envelope = signed(self.ABOUT, "bob", comment="fine")
        assert "another comment" in refusal(
            Booth(self.ABOUT).vote, "bob", comment="not fine", envelope=envelope
        )

    def test_one_that_was_withdrawn_is_not_taken_again(self) -> None:
        booth = Booth(self.ABOUT)
        first = signed(self.ABOUT, "bob")
        unsent = signed(self.ABOUT, "bob", at=NOON + timedelta(minutes=1))
        booth.vote("bob", envelope=first)
        assert "is missing" in refusal(booth.withdraw, "bob")
        word = signed(self.ABOUT, "bob", "withdraw", at=NOON + timedelta(minutes=2))
        booth.withdraw("bob", envelope=word, now=NOON + timedelta(minutes=2))
        for old in (first, unsent):
            told = refusal(booth.vote, "bob", envelope=old, now=LATER)
            assert "it was signed before bob took the earlier vote back; sign again" in told
        booth.vote("bob", envelope=signed(self.ABOUT, "bob", at=LATER), now=LATER)
        assert "it was signed before the vote was given" in refusal(
            booth.withdraw, "bob", envelope=word, now=LATER
        )

    def test_a_delegate_signs_with_their_own_key_for_the_giver(self) -> None:
        about = asking(SIGNED, keys=KEYS, delegations=[delegation("bob", "dave")])
        plain = signed(about, "dave")
        assert "it was signed with on behalf of nobody instead of 'bob'" in refusal(
            Booth(about).vote, "dave", envelope=plain
        )
        Booth(about).vote("dave", envelope=signed(about, "dave", on_behalf_of="bob"))

    def test_only_who_votes_in_a_signed_approval_has_to_sign(self) -> None:
        about = asking(SIGNED, {"users": ["dave"]}, keys=KEYS)
        Booth(about).vote("dave")
        assert "is missing" in refusal(Booth(about).vote, "carol")


VOTES = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from([APPROVE, APPROVE, APPROVE, REJECT]),
        st.sampled_from([None, None, *PEOPLE]),
        st.booleans(),
    ),
    max_size=6,
)
CONFIGS = st.sampled_from(
    [
        {"groups": ["leads", "ops"], "required": 3},
        {"quorums": [{"groups": ["leads"], "required": 2}, {"groups": ["ops"]}]},
        {"users": ["alice", "bob", "carol"], "required": 3, "allow_committers": False},
    ]
)
DELEGATIONS = st.lists(
    st.builds(
        delegation, st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.sampled_from([0, 100])
    ),
    max_size=4,
)


@settings(deadline=None)
@given(config=CONFIGS, acts=VOTES, delegations=DELEGATIONS)
def test_a_vote_that_is_taken_counts_and_each_person_and_right_counts_once(
    config: dict[str, Json],
    acts: list[tuple[str, VoteDecision, str | None, bool]],
    delegations: list[object],
) -> None:
    about = asking(config, delegations=delegations, committers=["carol"])  # type: ignore[arg-type]  # a strategy's type is not followed
    booth, parsed = Booth(about), ApprovalConfig.model_validate(config)
    for user, decision, giver, withdraws in acts:
        before = decide(parsed, about, booth.votes, NOON, NOON)
        try:
            if withdraws:
                booth.withdraw(user)
            else:
                booth.vote(user, decision, on_behalf_of=giver)
        except InputError:
            continue
        after = decide(parsed, about, booth.votes, NOON, NOON)
        if decision is REJECT and not withdraws:
            assert isinstance(after, Deny)
            assert after.rejected_by is not None
            continue
        step = -1 if withdraws else 1
        assert received(after) == received(before) + step
        standing = [vote for vote in booth.votes if vote.withdrawn_at is None]
        assert len({vote.user for vote in standing}) == len(standing)
        assert len({vote.right_of for vote in standing}) == len(standing)
        if isinstance(after, Allow):
            assert len(standing) >= sum(quorum.required for quorum in parsed.all_quorums)


def received(verdict: object) -> int:
    figure = getattr(verdict, "attributes", {})["approval.received"]
    assert isinstance(figure, int)
    return figure
