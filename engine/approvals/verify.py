"""Verification of a signed vote against the keys and the promotion that it has to be for.

A pure function of its arguments: no clock and no file, so that a workflow can ask it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    Key,
)

from engine.approvals.keys import public_key
from engine.approvals.statement import (
    PAYLOAD_TYPE,
    ApprovalStatement,
    Word,
    read_statement,
    statement_of,
)
from engine.dsse.envelope import Sealed, read_envelope
from engine.dsse.strict_json import shown
from engine.errors import EvidenceError, InputError
from engine.model.base import Digest, Json
from engine.model.canonical import digest_of_bytes
from engine.model.promotion import PromotionSnapshot

MAX_ENVELOPE_BYTES = 128 * 1024
"""The largest envelope that is looked at; it is in the workflow's history. A release of five
hundred components fits."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far a signer's clock may be ahead of ours."""


@dataclass(frozen=True)
class SignedWord:
    """A word whose signature was verified, and which is about this promotion.

    Attributes:
        digest: of the signed bytes.
        key_id: securesystemslib's id of the key that signed them.
        public_key: that key, as it is registered.
    """

    statement: ApprovalStatement
    digest: Digest
    key_id: str
    public_key: str

    @property
    def signed_at(self) -> datetime:
        """When it was signed, by the signer's clock."""
        return self.statement.predicate.signed_at


def verify(
    envelope: dict[str, Json],
    promotion: PromotionSnapshot,
    word: Word,
    user: str,
    at: datetime,
    *,
    comment: str | None = None,
    on_behalf_of: str | None = None,
) -> SignedWord:
    """Verify that `user` has signed this word about this promotion with a key valid at `at`.

    Keys are those that the environment registered for `user` when the promotion began. What the
    envelope says of key and algorithm is not believed: each key is tried with its own algorithm.

    Args:
        comment: what has to be signed as the comment; None where that does not matter.

    Raises:
        EvidenceError: it is not so; the message says why in a clause.
    """
    sealed = _read(envelope)
    key_id, pem = _signing_key(sealed, promotion, user, at)
    statement = read_statement(sealed.payload)
    said = statement.predicate
    expected = statement_of(
        promotion,
        word,
        user,
        comment=said.comment if comment is None else comment,
        on_behalf_of=on_behalf_of,
        signed_at=said.signed_at,
    )
    for problem in _differences(statement, expected):
        raise EvidenceError(problem)
    if said.signed_at > at + CLOCK_SKEW:
        raise EvidenceError(
            f"was signed at {said.signed_at:%Y-%m-%d %H:%M:%S}Z, which is in the future; "
            "correct the clock of the machine that signs"
        )
    return SignedWord(
        statement=statement,
        digest=digest_of_bytes(sealed.payload),
        key_id=key_id,
        public_key=pem,
    )


def _read(envelope: dict[str, Json]) -> Sealed:
    try:
        data = json.dumps(envelope, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise EvidenceError("the envelope is not JSON in UTF-8") from error
    if len(data) > MAX_ENVELOPE_BYTES:
        raise EvidenceError(f"the envelope is larger than {MAX_ENVELOPE_BYTES // 1024} KiB")
    sealed = read_envelope(data, PAYLOAD_TYPE)
    if len(sealed.signatures) != 1:
        raise EvidenceError(
            f"the envelope has {len(sealed.signatures)} signatures; a vote is signed by one person"
        )
    return sealed


def _signing_key(
    sealed: Sealed, promotion: PromotionSnapshot, user: str, at: datetime
) -> tuple[str, str]:
    """The id and the PEM of the one of the user's keys that signed."""
    registered = promotion.environment.keys.get(user, ())
    if not registered:
        raise EvidenceError(
            f"no key is registered for {user}; add one to `keys` of the environment file, for "
            "promotions from then on"
        )
    ((_, signature),) = sealed.signatures
    for each in registered:
        key = _usable(each.public_key)
        if key is None or not sealed.is_signed_by(key, signature):
            continue
        if each.until is not None and at >= each.until:
            raise EvidenceError(
                f"the key of {user} that signed it was valid until {each.until:%Y-%m-%d %H:%M:%S}Z"
            )
        return key.keyid, each.public_key
    raise EvidenceError(
        f"the signature verifies with no key that is registered for {user}: another key signed "
        "it, or it was changed afterwards"
    )


def _usable(pem: str) -> Key | None:
    try:
        return public_key(pem)
    except InputError:
        return None


def _differences(statement: ApprovalStatement, expected: ApprovalStatement) -> Iterator[str]:
    said, wanted = statement.predicate, expected.predicate
    if said.promotion != wanted.promotion:
        yield f"it was signed for the promotion {said.promotion}, and this is {wanted.promotion}"
    for field in ("environment", "tenant", "word", "user", "on_behalf_of"):
        one, other = getattr(said, field), getattr(wanted, field)
        if one != other:
            yield f"it was signed with {_LABELS[field]} {_text(one)} instead of {_text(other)}"
    if said.comment != wanted.comment:
        yield f"it was signed with another comment, {shown(said.comment)}"
    if said.release != wanted.release:
        yield (
            f"it was signed for the release {said.release.name}@{said.release.version} "
            f"(sha256:{said.release.digest.sha256}), and this is "
            f"{wanted.release.name}@{wanted.release.version} "
            f"(sha256:{wanted.release.digest.sha256})"
        )
    if _digests(statement) != _digests(expected):
        yield "it was signed for components with other digests"
    if said.binding != wanted.binding:
        yield (
            "it was signed for another release, template or policy "
            f"(sha256:{said.binding.sha256} instead of sha256:{wanted.binding.sha256})"
        )


_LABELS = {
    "environment": "the environment",
    "tenant": "the tenant",
    "word": "the word",
    "user": "the user",
    "on_behalf_of": "on behalf of",
}


def _text(value: str | None) -> str:
    return "nobody" if value is None else shown(str(value))


def _digests(statement: ApprovalStatement) -> list[tuple[str, str]]:
    return sorted((each.name, each.digest.sha256) for each in statement.subject)
