"""The keys with which people sign their votes: ECDSA over P-256 with SHA-256, or Ed25519.

A private key is a PEM file in PKCS#8 form, encrypted or not
(https://www.rfc-editor.org/rfc/rfc5958); SEC 1 form, as `openssl ecparam -genkey` writes it, is
read as well. Which algorithm verifies a signature follows from the registered public key alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    CryptoSigner,
    Key,
    Signer,
    SSlibKey,
)

from engine.dsse import key_files
from engine.errors import InputError

_WANTED = "give a PEM file with an ECDSA P-256 or Ed25519 private key"
_WANTED_PUBLIC = "paste the public key in PEM form: -----BEGIN PUBLIC KEY-----, …"
_MAKE_ONE = "make one with: openssl genpkey -algorithm ed25519"


class KeyKind(StrEnum):
    """The kinds of keys that can be made."""

    P256 = "p256"
    ED25519 = "ed25519"


class PassphraseNeededError(InputError):
    """The private key is encrypted, and no passphrase was given."""


@dataclass(frozen=True)
class ApproverSigner:
    """A person's private key.

    Attributes:
        signer: a securesystemslib signer; the private key does not leave it.
        public_pem: the public key, as PEM.
    """

    signer: Signer = field(repr=False)
    public_pem: str

    @property
    def key_id(self) -> str:
        """securesystemslib's id of the public key: a SHA-256, 64 lower-case hexadecimal digits."""
        return self.signer.public_key.keyid


def load_signer(
    path: Path, passphrase: bytes | None = None, field: str = "--key"
) -> ApproverSigner:
    """The private key in a file.

    Args:
        passphrase: of an encrypted key.
        field: the option that named the file, for messages.

    Raises:
        PassphraseNeededError: the key is encrypted, and there is no passphrase.
        InputError: the file cannot be read, can be read by others than its owner, or holds no key
            of a kind that signs votes; or the passphrase is wrong.
    """
    pem = key_files.read_private(path, field, _WANTED)
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError as error:
        if passphrase is None:
            raise PassphraseNeededError(
                field, f"the key in {path} is encrypted", "give its passphrase"
            ) from error
        # A passphrase that is not needed is no mistake worth stopping for.
        return load_signer(path, None, field)
    except (ValueError, UnsupportedAlgorithm) as error:
        problem = f"{path} is not a PEM private key"
        if passphrase is not None:
            problem += ", or the passphrase is wrong"
        raise InputError(field, problem, _WANTED) from error
    return _signer(key, path, field)


def make_key(path: Path, kind: KeyKind, passphrase: bytes | None = None) -> ApproverSigner:
    """Make a private key in a new file with mode 0600.

    Raises:
        InputError: there is such a file already, or it cannot be written.
    """
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if kind is KeyKind.ED25519:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    encryption: KeySerializationEncryption = (
        NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    try:
        key_files.write_new(path, pem, 0o600)
    except FileExistsError as error:
        raise InputError(
            "--out", f"{path} exists, and no key is ever overwritten", "name another file"
        ) from error
    except OSError as error:
        raise InputError("--out", f"{path} cannot be written: {error.strerror}") from error
    return _signer(key, path, "--out")


def public_key(pem: str) -> Key:
    """A registered public key.

    Raises:
        InputError: it is not the PEM form of an ECDSA P-256 or Ed25519 public key.
    """
    if "PRIVATE KEY-----" in pem:
        # The message never repeats the text.
        problem = "is a private key, which belongs to its owner alone"
        raise InputError("public_key", problem, f"make a new pair, and {_WANTED_PUBLIC}")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError("public_key", "is no public key in PEM form", _WANTED_PUBLIC) from error
    if not _is_public(key):
        problem = "is neither an ECDSA P-256 nor an Ed25519 key"
        raise InputError("public_key", problem, _MAKE_ONE)
    return SSlibKey.from_crypto(key)


def _is_public(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, ed25519.Ed25519PublicKey)


def _signer(key: PrivateKeyTypes, path: Path, field: str) -> ApproverSigner:
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) or not (
        _is_public(key.public_key())
    ):
        raise InputError(field, f"the key in {path} is neither ECDSA P-256 nor Ed25519", _WANTED)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return ApproverSigner(CryptoSigner(key), public.decode())
