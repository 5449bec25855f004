"""The signed votes inside a promotion's evidence, each to be verified by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.evidence.predicate import PromotionPredicate, SignatureRecord
from engine.model.canonical import canonical_json


@dataclass(frozen=True)
class SignedVote:
    """One word that somebody signed.

    Attributes:
        name: tells it from the others, and is fit for a file: its place and what was said.
        user: who signed it.
        envelope: the DSSE envelope, as one line of canonical JSON.
        public_key: the key that was registered for the person, as PEM; empty when it verified with
            none, and so did not count.
    """

    name: str
    user: str
    envelope: bytes
    public_key: str


def signed_votes(predicate: PromotionPredicate) -> Iterator[SignedVote]:
    """All signed votes and withdrawals, in the order in which the votes were given."""
    for index, approval in enumerate(predicate.approvals, start=1):
        if approval.signature is not None:
            name = f"{index:02}-{approval.decision.value}"
            yield _vote(name, approval.user, approval.signature)
        if approval.withdrawal is not None and approval.withdrawal.signature is not None:
            name = f"{index:02}-withdraw"
            yield _vote(name, approval.user, approval.withdrawal.signature)


def _vote(name: str, user: str, signature: SignatureRecord) -> SignedVote:
    envelope = canonical_json(signature.envelope)
    return SignedVote(name, user, envelope, signature.public_key or "")
