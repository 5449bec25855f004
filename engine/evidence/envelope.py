"""The DSSE envelope around a statement.

Specification: https://github.com/secure-systems-lab/dsse (protocol.md, envelope.md)
"""

from __future__ import annotations

from engine.dsse.envelope import seal
from engine.evidence.keys import SigningKey
from engine.evidence.statement import parse_statement

PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""The payload type of in-toto statements
(https://github.com/in-toto/attestation/blob/main/spec/v1/envelope.md)."""


def sign_statement(statement: bytes, key: SigningKey) -> bytes:
    """The signed envelope around `statement`, as one line of canonical JSON.

    ECDSA signatures differ from call to call; each of them verifies. Whoever needs one envelope
    per statement keeps the first.

    Raises:
        EvidenceError: `statement` is not a statement about a promotion. Nothing else is signed.
    """
    parse_statement(statement)
    return seal(statement, PAYLOAD_TYPE, key.signer)
