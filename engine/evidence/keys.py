"""The keys that sign and verify evidence: ECDSA over P-256 with SHA-256.

A private key is a PEM file in PKCS#8 form (https://www.rfc-editor.org/rfc/rfc5958); SEC 1 form, as
`openssl ecparam -genkey` writes it, is read as well. The public key lies beside it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
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

_FIELD = "PROMOTE_SIGNING_KEY"
_WANTED = "give a PEM file with an ECDSA P-256 private key, unencrypted"


@dataclass(frozen=True)
class SigningKey:
    """A private key and the signer that holds it.

    Attributes:
        signer: a securesystemslib signer; the private key does not leave it.
    """

    signer: Signer = field(repr=False)

    @classmethod
    def load_or_create(cls, path: Path) -> SigningKey:
        """The key at `path`, made there when there is none.

        Processes that make it at the same time end up with the same key. A key file gets mode
        0600, its directory (when it has to be made) 0700. The public key is written beside it:
        `signing.pub.pem` for `signing.pem`.

        Raises:
            InputError: the file cannot be read or made, can be read by others than its owner, or
                is not an unencrypted ECDSA P-256 private key.
        """
        try:
            if not path.exists():
                _create(path)
        except OSError as error:
            raise InputError(
                _FIELD, f"no key can be made at {path}: {error.strerror}", "name a writable place"
            ) from error
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """The key at `path`, which must exist.

        Raises:
            InputError: as for `load_or_create`, and when there is no such file.
        """
        if not path.exists():
            raise InputError(
                _FIELD,
                f"there is no key {path}",
                "name the file of one, or leave the variable unset to have one made in "
                "PROMOTE_HOME",
            )
        key = cls(CryptoSigner(_parse_private(key_files.read_private(path, _FIELD, _WANTED), path)))
        # A private key that is mounted read-only works without a public key beside it.
        with suppress(OSError):
            _publish(public_key_path(path), key.public_pem())
        return key

    @property
    def key_id(self) -> str:
        """securesystemslib's id of the public key: a SHA-256, 64 lower-case hexadecimal digits."""
        return self.signer.public_key.keyid

    def public_pem(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""
        return str(self.signer.public_key.keyval["public"]).encode()


def public_key_path(private_key: Path) -> Path:
    """Where the public key of the private key at `private_key` lies."""
    return private_key.with_suffix(".pub.pem")


def load_public_key(pem: bytes) -> Key:
    """The public key in `pem`.

    Raises:
        InputError: it is not the PEM form of an ECDSA P-256 public key.
    """
    remedy = "give the PEM file of an ECDSA P-256 public key, e.g. signing.pub.pem"
    if b"PRIVATE KEY-----" in pem:
        raise InputError("key", "this is a private key", remedy)
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError("key", "this is not a PEM public key", remedy) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("key", "this is not an ECDSA P-256 public key", remedy)
    return SSlibKey.from_crypto(key)


def _parse_private(pem: bytes, path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise InputError(_FIELD, f"the key in {path} is encrypted", _WANTED) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(_FIELD, f"{path} is not a PEM private key", _WANTED) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError(_FIELD, f"the key in {path} is not an ECDSA P-256 key", _WANTED)
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = CryptoSigner.generate_ecdsa().private_bytes
    # The first process wins, and all others read its key.
    with suppress(FileExistsError):
        key_files.write_new(path, pem, 0o600)


def _publish(path: Path, pem: bytes) -> None:
    if path.is_file() and path.read_bytes() == pem:
        return
    key_files.replace(path, pem, 0o644)
