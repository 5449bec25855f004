"""Third parties verify a vote out of the evidence, with none of our code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    CryptoSigner,
    SSlibKey,
)

from engine.approvals.keys import ApproverSigner, KeyKind, make_key
from engine.approvals.sign import sign
from engine.approvals.statement import PAYLOAD_TYPE, Word, statement_of
from engine.evidence.envelope import sign_statement
from engine.evidence.keys import SigningKey
from engine.evidence.statement import build_statement, parse_statement
from engine.evidence.verify import verify_envelope
from engine.evidence.votes import SignedVote, signed_votes
from engine.model.environment import ApproverKey
from engine.model.evidence import EvidenceInput
from tests.evidence.samples import after, approver, signed

GUIDE = Path(__file__).parents[2] / "docs" / "approvals.md"


def votes_of(evidence: EvidenceInput, key: SigningKey) -> list[SignedVote]:
    envelope = sign_statement(build_statement(evidence), key)
    return list(signed_votes(verify_envelope(envelope, key.public_pem()).predicate))


def by_p256(key: ApproverSigner) -> EvidenceInput:
    """The evidence of one vote by bob, whose key is this."""
    evidence = signed()
    environment = evidence.promotion.environment.model_copy(
        update={"keys": {"bob": (ApproverKey(public_key=key.public_pem),)}}
    )
    promotion = evidence.promotion.model_copy(update={"environment": environment})
    statement = statement_of(promotion, Word.APPROVE, "bob", signed_at=after(29))
    vote = evidence.votes[1].model_copy(
        update={"comment": "", "binding": promotion.binding, "envelope": sign(statement, key)}
    )
    return evidence.model_copy(update={"promotion": promotion, "votes": (vote,)})


def test_all_that_was_signed_is_in_the_evidence(key: SigningKey) -> None:
    votes = votes_of(signed(), key)
    assert [(vote.name, vote.user) for vote in votes] == [
        ("01-approve", "bob"),
        ("01-withdraw", "bob"),
        ("02-approve", "bob"),
        ("03-approve", "dave"),
    ]
    assert {vote.public_key for vote in votes} == {
        approver("bob").public_pem,
        approver("dave").public_pem,
    }


def test_securesystemslib_alone_verifies_each_of_them(key: SigningKey) -> None:
    for vote in votes_of(signed(), key):
        public = SSlibKey.from_crypto(load_pem_public_key(vote.public_key.encode()))
        envelope = Envelope.from_dict(json.loads(vote.envelope))
        assert envelope.payload_type == PAYLOAD_TYPE
        envelope.verify([public], threshold=1)
        said = json.loads(envelope.payload)["predicate"]
        assert said["user"] == vote.user
        assert vote.name.endswith(said["word"])
        envelope.payload = envelope.payload.replace(b'"production"', b'"staging"')
        with pytest.raises(VerificationError):
            envelope.verify([public], threshold=1)


@pytest.mark.skipif(
    shutil.which("openssl") is None or shutil.which("jq") is None,
    reason="the commands openssl and jq are not both installed",
)
@pytest.mark.parametrize("kind", list(KeyKind))
def test_the_guides_commands_verify_one(kind: KeyKind, key: SigningKey, tmp_path: Path) -> None:
    p256 = make_key(tmp_path / "bob.pem", KeyKind.P256)
    evidence = signed() if kind is KeyKind.ED25519 else by_p256(p256)
    vote = votes_of(evidence, key)[0]
    (tmp_path / "01-approve.json").write_bytes(vote.envelope)
    (tmp_path / "01-approve.pub.pem").write_text(vote.public_key)
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    unpack = next(block for block in blocks if "DSSEv1" in block)
    verb = "pkeyutl" if kind is KeyKind.ED25519 else "dgst -sha256"
    verifying = next(block for block in blocks if f"openssl {verb}" in block)
    done = run(unpack + verifying, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Verified" in done.stdout
    assert json.loads((tmp_path / "vote.json").read_bytes())["predicate"]["user"] == "bob"
    (tmp_path / "vote.json").write_text("{}")
    signed_bytes = tmp_path / "signed.bin"
    signed_bytes.write_bytes(signed_bytes.read_bytes().replace(b"approve", b"reject!"))
    assert run(verifying, tmp_path).returncode != 0


def run(commands: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-eu", "-c", commands],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_vote_that_verifies_with_no_key_stays_on_record_without_one(key: SigningKey) -> None:
    evidence = signed()
    stranger = CryptoSigner.generate_ed25519()
    statement = statement_of(evidence.promotion, Word.APPROVE, "bob", signed_at=after(29))
    forged = evidence.votes[1].model_copy(
        update={"envelope": sign(statement, ApproverSigner(stranger, ""))}
    )
    (vote,) = votes_of(evidence.model_copy(update={"votes": (forged,)}), key)
    assert vote.public_key == ""


def test_what_was_overridden_and_what_a_gate_learnt_is_told() -> None:
    _, weekend, board = parse_statement(build_statement(signed())).predicate.gates
    assert weekend.overridden is not None
    assert (weekend.overridden.user, weekend.overridden.reason) == ("erin", "outage")
    assert board.evidence == {"answer": {"ticket": "CHG-17", "until": None}, "status": 200}
