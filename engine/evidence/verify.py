"""Verification of a signed statement, offline, with nothing but the public key.

Follows https://github.com/secure-systems-lab/dsse/blob/master/protocol.md#protocol: nothing in the
payload is looked at before its signature has been verified.
"""

from __future__ import annotations

from dataclasses import dataclass

from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    Key,
)

from engine.dsse.envelope import Sealed, read_envelope
from engine.dsse.strict_json import shown
from engine.errors import EvidenceError
from engine.evidence.envelope import PAYLOAD_TYPE
from engine.evidence.keys import load_public_key
from engine.evidence.predicate import PromotionPredicate, ResourceDescriptor
from engine.evidence.statement import Statement, parse_statement
from engine.model.canonical import sha256_hex


@dataclass(frozen=True)
class VerifiedStatement:
    """A statement whose signature has been verified.

    Attributes:
        payload: the statement's bytes as they were signed.
        sha256: the SHA-256 of `payload`, 64 lower-case hexadecimal digits.
        key_id: the id of the key that verified it.
        statement: what the payload says.
    """

    payload: bytes
    sha256: str
    key_id: str
    statement: Statement

    @property
    def subjects(self) -> tuple[ResourceDescriptor, ...]:
        """The components that the statement is about."""
        return self.statement.subject

    @property
    def predicate(self) -> PromotionPredicate:
        """The record of the promotion."""
        return self.statement.predicate


def verify_envelope(envelope: bytes, public_key_pem: bytes) -> VerifiedStatement:
    """Verify a DSSE envelope and read the statement in it.

    A `keyid` in the envelope is a hint, as DSSE has it: a signature that names another key is left
    aside, one that names none is tried. One signature by the given key is enough.

    Args:
        envelope: the envelope's JSON.
        public_key_pem: the public key that the reader trusts, ECDSA P-256, PEM.

    Raises:
        EvidenceError: the envelope does not hold a statement about a promotion that this key
            signed; the message says what is wrong.
        InputError: `public_key_pem` is not such a key.
    """
    key = load_public_key(public_key_pem)
    sealed = read_envelope(envelope, PAYLOAD_TYPE)
    _check_signatures(sealed, key)
    return VerifiedStatement(
        payload=sealed.payload,
        sha256=sha256_hex(sealed.payload),
        key_id=key.keyid,
        statement=parse_statement(sealed.payload),
    )


def _check_signatures(sealed: Sealed, key: Key) -> None:
    candidates = [sig for keyid, sig in sealed.signatures if keyid in ("", key.keyid)]
    if not candidates:
        named = ", ".join(shown(keyid) for keyid, _ in sealed.signatures[:3])
        raise EvidenceError(
            f"no signature is by the given key, whose id is {key.keyid}; the envelope names {named}"
        )
    if not any(sealed.is_signed_by(key, signature) for signature in candidates):
        raise EvidenceError(
            f"the signature does not verify with key {key.keyid}: "
            "the envelope was changed after it was signed, or another key signed it"
        )
