"""Verification of a signed statement, offline, with nothing but the public key.

Follows https://github.com/secure-systems-lab/dsse/blob/master/protocol.md#protocol: nothing in the
payload is looked at before its signature has been verified.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pydantic import Field
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    Key,
    Signature,
)

from engine.errors import EvidenceError
from engine.evidence.envelope import PAYLOAD_TYPE
from engine.evidence.keys import load_public_key
from engine.evidence.predicate import PromotionPredicate, ResourceDescriptor
from engine.evidence.statement import Statement, parse_statement
from engine.evidence.strict_json import read_model, read_object, shown
from engine.model.base import Value
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


class _SignatureDocument(Value):
    keyid: str = ""
    sig: str


class _EnvelopeDocument(Value):
    payload: str
    payload_type: str = Field(alias="payloadType")
    signatures: list[_SignatureDocument] = Field(min_length=1)


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
    read_object(envelope, "the envelope")
    document = read_model(_EnvelopeDocument, envelope, "this is not a DSSE envelope")
    if document.payload_type != PAYLOAD_TYPE:
        raise EvidenceError(
            f"the payload type is {shown(document.payload_type)}, not {PAYLOAD_TYPE!r}"
        )
    payload = _decode(document.payload, "payload")
    _check_signatures(document, payload, key)
    return VerifiedStatement(
        payload=payload,
        sha256=sha256_hex(payload),
        key_id=key.keyid,
        statement=parse_statement(payload),
    )


def _check_signatures(document: _EnvelopeDocument, payload: bytes, key: Key) -> None:
    signatures = [
        (entry.keyid, _decode(entry.sig, f"signatures.{index}.sig"))
        for index, entry in enumerate(document.signatures)
    ]
    signed = Envelope(payload, document.payload_type, {}).pae()
    candidates = [signature for keyid, signature in signatures if keyid in ("", key.keyid)]
    if not candidates:
        named = ", ".join(shown(keyid) for keyid, _ in signatures[:3])
        raise EvidenceError(
            f"no signature is by the given key, whose id is {key.keyid}; the envelope names {named}"
        )
    if not any(_verifies(key, signature, signed) for signature in candidates):
        raise EvidenceError(
            f"the signature does not verify with key {key.keyid}: "
            "the envelope was changed after it was signed, or another key signed it"
        )


def _verifies(key: Key, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify_signature(Signature(key.keyid, signature.hex()), signed)
    except UnverifiedSignatureError:
        return False
    return True


def _decode(text: str, where: str) -> bytes:
    """Decode Base64 of either alphabet, and only the one spelling that encoding gives.

    Python's decoder passes over the unused bits of the last character, so that several texts would
    stand for the same bytes.
    """
    for altchars in (b"+/", b"-_"):
        try:
            encoded = text.encode("ascii")
            decoded = base64.b64decode(encoded, altchars=altchars, validate=True)
        except ValueError:
            continue
        if base64.b64encode(decoded, altchars=altchars) == encoded:
            return decoded
    raise EvidenceError(f"this is not a DSSE envelope: {where} is not Base64")
