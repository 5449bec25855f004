from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from engine.approvals.keys import (
    KeyKind,
    PassphraseNeededError,
    load_signer,
    make_key,
    public_key,
)
from engine.approvals.sign import sign
from engine.approvals.statement import Word, statement_of
from engine.approvals.verify import verify
from engine.errors import InputError
from engine.model.environment import ApproverKey
from tests.approvals.voters import asking
from tests.gates.builders import NOON

OPENSSL = shutil.which("openssl")


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_made_key_is_its_owners_alone_and_never_overwritten(
    tmp_path: Path, kind: KeyKind
) -> None:
    path = tmp_path / "bob.pem"
    made = make_key(path, kind)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    assert before.startswith(b"-----BEGIN PRIVATE KEY-----")
    with pytest.raises(InputError, match="exists, and no key is ever overwritten"):
        make_key(path, kind)
    assert path.read_bytes() == before
    assert load_signer(path).key_id == made.key_id == public_key(made.public_pem).keyid
    with pytest.raises(InputError, match="cannot be written"):
        make_key(tmp_path / "nowhere" / "bob.pem", kind)


def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "bob.pem"
    made = make_key(path, KeyKind.ED25519, b"correct horse")
    assert b"ENCRYPTED" in path.read_bytes()
    assert load_signer(path, b"correct horse").key_id == made.key_id
    with pytest.raises(PassphraseNeededError, match=r"^--key: the key in .* is encrypted"):
        load_signer(path)
    with pytest.raises(InputError, match="or the passphrase is wrong"):
        load_signer(path, b"battery staple")


def test_a_passphrase_that_is_not_needed_is_no_mistake(tmp_path: Path) -> None:
    made = make_key(tmp_path / "bob.pem", KeyKind.P256)
    assert load_signer(tmp_path / "bob.pem", b"anything").key_id == made.key_id


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bob.pem"
    make_key(path, KeyKind.P256)
    path.chmod(0o640)
    with pytest.raises(InputError, match=r"^--key: .*mode 0640.*; run chmod 600"):
        load_signer(path)


@pytest.mark.skipif(OPENSSL is None, reason="the command openssl is not installed")
@pytest.mark.parametrize(
    ("command", "taken"),
    [
        ("genpkey -algorithm ed25519", True),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", True),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:word", True),
        ("ecparam -name prime256v1 -genkey -noout", True),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", False),
        ("genpkey -algorithm ed448", False),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", False),
    ],
)
def test_keys_that_openssl_makes(tmp_path: Path, command: str, taken: bool) -> None:
    path = tmp_path / "bob.pem"
    path.touch(mode=0o600)
    openssl("openssl", *command.split(), "-out", str(path))
    word = b"word" if "-aes256" in command else None
    if not taken:
        with pytest.raises(InputError, match="neither ECDSA P-256 nor Ed25519"):
            load_signer(path, word)
        return
    key = load_signer(path, word)
    given = ["-passin", "pass:word"] if word else []
    public = openssl("openssl", "pkey", "-in", str(path), *given, "-pubout")
    assert public == key.public_pem
    about = asking({"users": ["bob"]}, keys={"bob": (ApproverKey(public_key=public),)})
    statement = statement_of(about, Word.APPROVE, "bob", signed_at=NOON)
    assert verify(sign(statement, key), about, Word.APPROVE, "bob", NOON).key_id == key.key_id


def openssl(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        ("", "is no public key in PEM form"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "is no public key in PEM form",
        ),
        ("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----", "is a private key"),
    ],
)
def test_what_is_no_public_key_is_refused_without_being_repeated(pem: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        public_key(pem)
    assert "hunter2" not in str(refused.value)


def test_the_private_key_is_not_shown(tmp_path: Path) -> None:
    made = make_key(tmp_path / "bob.pem", KeyKind.P256)
    assert "PRIVATE" not in repr(made)
