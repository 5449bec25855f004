"""The DSSE envelope: bytes, what they are, and signatures over both.

Specification: https://github.com/secure-systems-lab/dsse (protocol.md, envelope.md)
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from pydantic import Field
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # public, but not in an __all__
    Key,
    Signature,
    Signer,
)

from engine.dsse.strict_json import read_model, read_object, shown
from engine.errors import EvidenceError, PromotionEngineError
from engine.model.base import Value
from engine.model.canonical import canonical_json


@dataclass(frozen=True)
class Sealed:
    """An envelope that was read. Nothing of it is to be believed before a key verifies it.

    Attributes:
        signatures: each with the key id that it names, which is a hint and proves nothing; empty
            when it names none.
    """

    payload: bytes
    payload_type: str
    signatures: tuple[tuple[str, bytes], ...]

    def is_signed_by(self, key: Key, signature: bytes) -> bool:
        """Whether `key` made `signature` over payload and payload type; the key's kind decides how.

        Raises:
            PromotionEngineError: it cannot be checked, as with a broken library.

        https://github.com/secure-systems-lab/dsse/blob/master/protocol.md#protocol
        """
        signed = Envelope(self.payload, self.payload_type, {}).pae()
        try:
            key.verify_signature(Signature(key.keyid, signature.hex()), signed)
        except VerificationError as error:
            # Not a word about the signature; taken for one, it would be a refusal on record.
            problem = f"a signature cannot be checked here: {error.__cause__ or error}"
            raise PromotionEngineError(problem) from error
        except UnverifiedSignatureError:
            return False
        return True


def seal(payload: bytes, payload_type: str, signer: Signer) -> bytes:
    """The envelope around `payload` with one signature, as one line of canonical JSON.

    ECDSA signatures differ from call to call; each of them verifies.
    """
    envelope = Envelope(payload=payload, payload_type=payload_type, signatures={})
    envelope.sign(signer)
    return canonical_json(envelope.to_dict())


def read_envelope(data: bytes, payload_type: str) -> Sealed:
    """Read an envelope whose payload is of the given type.

    Raises:
        EvidenceError: `data` is no DSSE envelope, or its payload is of another type.
    """
    read_object(data, "the envelope")
    document = read_model(_EnvelopeDocument, data, "this is not a DSSE envelope")
    if document.payload_type != payload_type:
        raise EvidenceError(
            f"the payload type is {shown(document.payload_type)}, not {payload_type!r}"
        )
    return Sealed(
        payload=_decode(document.payload, "payload"),
        payload_type=document.payload_type,
        signatures=tuple(
            (entry.keyid, _decode(entry.sig, f"signatures.{index}.sig"))
            for index, entry in enumerate(document.signatures)
        ),
    )


class _SignatureDocument(Value):
    keyid: str = ""
    sig: str


class _EnvelopeDocument(Value):
    payload: str
    payload_type: str = Field(alias="payloadType")
    signatures: list[_SignatureDocument] = Field(min_length=1)


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
