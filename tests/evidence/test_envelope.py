from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope

from engine.errors import EvidenceError
from engine.evidence.envelope import sign_statement
from engine.evidence.keys import SigningKey, load_public_key
from engine.evidence.statement import build_statement
from engine.evidence.verify import verify_envelope
from engine.model.canonical import canonical_json
from tests.evidence.conftest import Signed
from tests.evidence.samples import denied


def test_is_a_dsse_envelope_around_the_very_bytes(signed: Signed) -> None:
    envelope = json.loads(signed.envelope)
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert base64.b64decode(envelope["payload"], validate=True) == signed.statement
    assert [entry["keyid"] for entry in envelope["signatures"]] == [signed.key.key_id]


def test_securesystemslib_alone_verifies_it(signed: Signed, other_key: SigningKey) -> None:
    envelope = Envelope.from_dict(json.loads(signed.envelope))
    trusted = [load_public_key(other_key.public_pem()), load_public_key(signed.public)]
    assert list(envelope.verify(trusted, 1)) == [signed.key.key_id]


def test_a_retried_signing_signs_the_same_statement(signed: Signed) -> None:
    first = verify_envelope(signed.envelope, signed.public)
    second = verify_envelope(sign_statement(signed.statement, signed.key), signed.public)
    assert first == second


def test_a_signature_verifies_after_the_key_was_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    envelope = sign_statement(build_statement(denied()), SigningKey.load_or_create(path))
    verified = verify_envelope(envelope, SigningKey.load_or_create(path).public_pem())
    assert verified.predicate.promotion.decision == "deny"


@pytest.mark.parametrize(
    "statement",
    [b"", b"hello", b"{}", canonical_json({"_type": "https://in-toto.io/Statement/v1"})],
)
def test_signs_nothing_but_statements_about_promotions(key: SigningKey, statement: bytes) -> None:
    with pytest.raises(EvidenceError):
        sign_statement(statement, key)
