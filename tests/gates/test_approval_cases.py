"""The gate `approval` as a table: what was configured and said, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from engine.errors import GateError
from engine.gates.approval import ApprovalGate
from engine.model.approval import Vote
from engine.model.base import Json
from engine.model.verdict import Allow, Defer, Deny
from tests.approvals.voters import asking, delegation, key_of, registered, signed
from tests.gates.builders import NOON, Services, context, vote

ONE: dict[str, Json] = {"groups": ["leads"]}
"""One of bob and carol."""
BOTH: dict[str, Json] = {
    "quorums": [{"groups": ["leads"], "required": 1}, {"groups": ["ops"], "required": 1}]
}
"""One of bob and carol, and one of carol and dave."""
SIGNED: dict[str, Json] = {**ONE, "signed": True}


@dataclass(frozen=True)
class Said:
    """One vote; `sign` makes its envelope, with more for what is signed."""

    user: str
    decision: str = "approve"
    hours: float = 0.0
    on_behalf_of: str | None = None
    comment: str = ""
    withdrawn: bool = False
    sign: bool = False
    signs: dict[str, Any] = field(default_factory=dict)
    other_binding: bool = False


@dataclass(frozen=True)
class Case:
    name: str
    config: dict[str, Json]
    said: tuple[Said, ...]
    becomes: type[Allow | Deny | Defer | GateError]
    reason: str
    hours: float = 1.0
    setup: dict[str, Any] = field(default_factory=dict)


LEADS_KEYS = {"keys": registered("bob", "carol", "dave")}
CASES = (
    Case("one of one", ONE, (Said("bob"),), Allow, "approved by bob"),
    Case(
        "two by different people of two groups",
        BOTH,
        (Said("bob"), Said("dave")),
        Allow,
        "approved by bob and dave",
    ),
    Case(
        "somebody in both groups is counted where it helps",
        BOTH,
        (Said("carol"), Said("bob")),
        Allow,
        "approved by carol and bob",
    ),
    Case(
        "a delegate, in place of the giver",
        ONE,
        (Said("erin", on_behalf_of="bob"),),
        Allow,
        "approved by erin for bob",
        setup={"delegations": [delegation("bob", "erin")]},
    ),
    Case(
        "a delegate who voted before the delegation ended",
        ONE,
        (Said("erin", on_behalf_of="bob", hours=1),),
        Allow,
        "approved by erin for bob",
        hours=5,
        setup={"delegations": [delegation("bob", "erin", hours=2)]},
    ),
    Case(
        "a committer, where that is allowed",
        ONE,
        (Said("bob"),),
        Allow,
        "approved by bob",
        setup={"committers": ["bob"]},
    ),
    Case(
        "a signed vote",
        SIGNED,
        (Said("bob", sign=True, comment="checked"),),
        Allow,
        "approved by bob",
        setup=LEADS_KEYS,
    ),
    Case(
        "a signed vote by a delegate, with the delegate's key",
        SIGNED,
        (Said("dave", on_behalf_of="bob", sign=True),),
        Allow,
        "approved by dave for bob",
        setup={**LEADS_KEYS, "delegations": [delegation("bob", "dave")]},
    ),
    Case(
        "a vote after one that was withdrawn",
        SIGNED,
        (
            Said("bob", sign=True, withdrawn=True),
            Said("bob", sign=True, hours=2, signs={"at": NOON + timedelta(hours=2)}),
        ),
        Allow,
        "approved by bob",
        hours=2,
        setup=LEADS_KEYS,
    ),
    Case("nobody yet", ONE, (), Defer, "0 of 1 approvals; waiting for bob or carol"),
    Case(
        "one person for two groups",
        BOTH,
        (Said("carol"),),
        Defer,
        "1 of 2 approvals (1 of 1 by leads, 0 of 1 by ops); waiting for bob or dave",
    ),
    Case(
        "two of the same group",
        {"quorums": [{"groups": ["leads"]}, {"users": ["dave"]}]},
        (Said("bob"), Said("carol")),
        Defer,
        "1 of 2 approvals (1 of 1 by leads, 0 of 1 by dave); waiting for dave",
    ),
    Case("withdrawn", ONE, (Said("bob", withdrawn=True),), Defer, "waiting for bob or carol"),
    Case("another binding", ONE, (Said("bob", other_binding=True),), Defer, "0 of 1"),
    Case(
        "a delegate after the end",
        ONE,
        (Said("erin", on_behalf_of="bob", hours=3),),
        Defer,
        "waiting for bob or carol",
        hours=4,
        setup={"delegations": [delegation("bob", "erin", hours=3)]},
    ),
    Case(
        "the delegate of a delegate",
        ONE,
        (Said("erin", on_behalf_of="dave"), Said("erin", on_behalf_of="bob")),
        Defer,
        "waiting for bob, carol or dave (for bob)",
        setup={"delegations": [delegation("bob", "dave"), delegation("dave", "erin")]},
    ),
    Case(
        "the right of somebody who has voted, used once more",
        {**ONE, "required": 2},
        (Said("bob"), Said("erin", on_behalf_of="bob")),
        Defer,
        "1 of 2 approvals; waiting for carol",
        setup={"delegations": [delegation("bob", "erin")]},
    ),
    Case(
        "two rights by one person",
        {**ONE, "required": 2},
        (Said("carol"), Said("carol", on_behalf_of="bob")),
        Defer,
        "1 of 2 approvals; waiting for bob",
        setup={"delegations": [delegation("bob", "carol")]},
    ),
    Case(
        "a delegate who asked for the promotion",
        ONE,
        (Said("alice", on_behalf_of="bob"),),
        Defer,
        "waiting for bob or carol",
        setup={"delegations": [delegation("bob", "alice")]},
    ),
    Case(
        "the delegate of the requester",
        {"users": ["alice", "bob"]},
        (Said("erin", on_behalf_of="alice"),),
        Defer,
        "waiting for bob",
        setup={"delegations": [delegation("alice", "erin")]},
    ),
    Case(
        "a committer, where that is not allowed",
        {**ONE, "allow_committers": False},
        (Said("bob"),),
        Defer,
        "waiting for carol",
        setup={"committers": ["bob"]},
    ),
    Case("unsigned", SIGNED, (Said("bob"),), Defer, "waiting for bob or carol", setup=LEADS_KEYS),
    Case(
        "signed by another person's key",
        SIGNED,
        (Said("bob", sign=True, signs={"by": key_of("carol")}),),
        Defer,
        "waiting for bob or carol",
        setup=LEADS_KEYS,
    ),
    Case(
        "signed for a rejection and sent as an approval",
        SIGNED,
        (Said("bob", sign=True, signs={"word": "reject"}),),
        Defer,
        "waiting for bob or carol",
        setup=LEADS_KEYS,
    ),
    Case(
        "a signed vote that was withdrawn, sent again",
        SIGNED,
        (Said("bob", sign=True, withdrawn=True), Said("bob", sign=True, hours=0.5)),
        Defer,
        "waiting for bob or carol",
        setup=LEADS_KEYS,
    ),
    Case(
        "a vote dated back to before the promotion, for a key that has ended",
        SIGNED,
        (Said("bob", sign=True, hours=-1),),
        Defer,
        "waiting for carol",
        setup={
            "keys": {
                **registered("bob", until=NOON),
                **registered("carol"),
            }
        },
    ),
    Case(
        "a rejection against any number of approvals",
        BOTH,
        (Said("bob"), Said("dave"), Said("carol", "reject", comment="not on Friday")),
        Deny,
        "rejected by carol: not on Friday",
    ),
    Case(
        "a rejection by a delegate",
        ONE,
        (Said("erin", "reject", on_behalf_of="bob"),),
        Deny,
        "rejected by erin for bob",
        setup={"delegations": [delegation("bob", "erin")]},
    ),
    Case(
        "a rejection by a committer",
        {**ONE, "allow_committers": False},
        (Said("bob", "reject"),),
        Deny,
        "rejected by bob",
        setup={"committers": ["bob"]},
    ),
    Case(
        "a rejection that is not signed is none",
        SIGNED,
        (Said("bob", "reject"), Said("carol", "reject", sign=True)),
        Deny,
        "rejected by carol",
        setup=LEADS_KEYS,
    ),
    Case("expired", ONE, (), Deny, "0 of 1 approvals within 72h; ask for a new", hours=72),
    Case(
        "too late",
        ONE,
        (Said("bob", hours=72.1),),
        Deny,
        "0 of 1 approvals within 72h",
        hours=73,
    ),
    Case(
        "a release that does not name its committers",
        {**ONE, "allow_committers": False},
        (Said("bob"),),
        Deny,
        "the release does not name its committers",
    ),
    Case(
        "everybody is kept from it",
        {"users": ["alice", "bob"], "allow_committers": False},
        (),
        Deny,
        "1 approvals are required, but only 0 can be given, since alice asked for this promotion "
        "and bob has committed to this release; name more people, or let somebody else ask",
        setup={"committers": ["bob"]},
    ),
    Case(
        "two quorums with people for one",
        {"quorums": [{"users": ["bob"]}, {"users": ["bob", "alice"]}]},
        (),
        Deny,
        "2 approvals by different people are required, but only 1 can be given (bob), since alice",
    ),
    Case(
        "nobody has a key any more",
        SIGNED,
        (),
        Deny,
        "only 0 can be given, since bob has no valid key and carol has no valid key",
        setup={"keys": registered("bob", until=NOON + timedelta(minutes=1))},
    ),
    Case(
        "a group that the environment lacks",
        {"quorums": [{"groups": ["leads"]}, {"groups": ["nobody"]}]},
        (),
        GateError,
        "the environment has no group called nobody",
    ),
    Case("a configuration that is none", {"quorums": 7}, (), GateError, "config.quorums"),
    Case("nobody is named", {}, (), GateError, "names nobody who may approve"),
)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_what_comes_of_it(case: Case) -> None:
    about = asking(case.config, **case.setup)
    given = context(
        "approval",
        case.config,
        snapshot=about,
        votes=votes(case.said, case),
        now=NOON + timedelta(hours=case.hours),
    )
    if case.becomes is GateError:
        with pytest.raises(GateError) as broken:
            await ApprovalGate().evaluate(given, Services())
        assert case.reason in str(broken.value)
        return
    verdict = await ApprovalGate().evaluate(given, Services())
    assert isinstance(verdict, case.becomes), verdict
    assert case.reason in verdict.reason


def votes(said: Sequence[Said], case: Case) -> list[Vote]:
    about = asking(case.config, **case.setup)
    given = []
    for one in said:
        at = NOON + timedelta(hours=one.hours)
        plain = vote(about, one.user, one.decision, comment=one.comment, at=at)
        changes: dict[str, Any] = {"on_behalf_of": one.on_behalf_of}
        if one.other_binding:
            changes["binding"] = "sha256:" + "0" * 64
        if one.sign:
            what = {"word": one.decision, "comment": one.comment, **one.signs}
            changes["envelope"] = signed(about, one.user, on_behalf_of=one.on_behalf_of, **what)
        if one.withdrawn:
            changes["withdrawn_at"] = at + timedelta(minutes=10)
            if one.sign:
                changes["withdrawal_envelope"] = signed(
                    about, one.user, "withdraw", at=at + timedelta(minutes=9)
                )
        given.append(plain.model_copy(update=changes))
    return given


def test_the_cases_cover_every_end() -> None:
    assert {case.becomes for case in CASES} == {Allow, Deny, Defer, GateError}
    assert len({case.name for case in CASES}) == len(CASES)
