"""People with keys, and promotions that ask them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    CryptoSigner,
)

from engine.approvals.keys import ApproverSigner
from engine.approvals.sign import sign
from engine.approvals.statement import Word, statement_of
from engine.gates.approval_rules import Rule, rules_of
from engine.gates.voting import taken_back, taken_vote
from engine.model.approval import Vote, VoteDecision, VoteInput, WithdrawInput
from engine.model.base import Json
from engine.model.environment import ApproverKey, Delegation, Gate
from engine.model.promotion import PromotionSnapshot, StepState
from engine.model.template import Template
from engine.model.verdict import GateState
from tests.gates.builders import GROUPS, NOON, PLAIN, promotion

APPROVE, REJECT = VoteDecision.APPROVE, VoteDecision.REJECT
PEOPLE = ("alice", "bob", "carol", "dave", "erin")


@cache
def key_of(person: str) -> ApproverSigner:
    """A person's key: every other person's is Ed25519."""
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if person in PEOPLE[::2]:
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ApproverSigner(CryptoSigner(key), public.decode())


def registered(*people: str, until: datetime | None = None) -> dict[str, tuple[ApproverKey, ...]]:
    """The keys of these people, as an environment has them."""
    return {
        person: (ApproverKey(public_key=key_of(person).public_pem, until=until),)
        for person in people
    }


def delegation(giver: str, to: str, hours: float = 1000) -> Delegation:
    return Delegation(giver=giver, to=to, until=NOON + timedelta(hours=hours))


def asking(
    *configs: Mapping[str, Json],
    keys: Mapping[str, tuple[ApproverKey, ...]] | None = None,
    delegations: Sequence[Delegation] = (),
    committers: Sequence[str] = (),
    groups: Mapping[str, tuple[str, ...]] = GROUPS,
    template: Template = PLAIN,
    **more: Any,
) -> PromotionSnapshot:
    """A promotion by alice with one approval for each configuration, named `first`, `second` …"""
    names = ("first", "second", "third")
    gates = [
        Gate(type="approval", name=name, config=dict(config))
        for name, config in zip(names, configs, strict=False)
    ]
    plain = promotion(gates=gates, groups=groups, template=template, **more)
    return plain.model_copy(
        update={
            "environment": plain.environment.model_copy(
                update={"keys": dict(keys or {}), "delegations": tuple(delegations)}
            ),
            "release": plain.release.model_copy(update={"committers": tuple(committers)}),
        }
    )


def signed(
    about: PromotionSnapshot,
    user: str,
    word: str = "approve",
    *,
    by: ApproverSigner | None = None,
    at: datetime = NOON,
    comment: str = "",
    on_behalf_of: str | None = None,
) -> dict[str, Json]:
    """The envelope around a person's word."""
    statement = statement_of(
        about, Word(word), user, comment=comment, on_behalf_of=on_behalf_of, signed_at=at
    )
    return sign(statement, by or key_of(user))


class Booth:
    """Takes votes as a promotion does, and keeps them."""

    def __init__(
        self,
        about: PromotionSnapshot,
        gates: Sequence[GateState] = (),
        steps: Mapping[str, StepState] | None = None,
    ) -> None:
        self.about = about
        self.votes: tuple[Vote, ...] = ()
        self._gates = gates
        self._steps = steps or {}

    def rules(self, now: datetime = NOON) -> tuple[Rule, ...]:
        return rules_of(self.about, self._gates, self._steps, now)

    def vote(
        self, user: str, decision: VoteDecision = APPROVE, *, now: datetime = NOON, **given: Any
    ) -> Vote:
        message = VoteInput(user=user, **given)
        vote = taken_vote(self.about, self.rules(now), self.votes, message, decision, now)
        self.votes = (*self.votes, vote)
        return vote

    def withdraw(self, user: str, *, now: datetime = NOON, **given: Any) -> Vote:
        message = WithdrawInput(user=user, **given)
        vote = taken_back(self.about, self.rules(now), self.votes, message, now)
        self.votes = tuple(
            vote if (each.user, each.at) == (vote.user, vote.at) else each for each in self.votes
        )
        return vote
