"""Signatures of requests by Standard Webhooks, HMAC-SHA256.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from standardwebhooks import Webhook

from engine.errors import InputError

_PREFIX = "whsec_"
_LENGTH = range(24, 65)


def signature_headers(
    reference: str, key: str, message_id: str, body: bytes, at: datetime | None = None
) -> dict[str, str]:
    """The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of a request.

    Args:
        reference: what the key was found under, for messages.
        key: base64 of 24 to 64 bytes, with or without `whsec_` before it.
        message_id: the same for every try of the same message.
        at: now, unless told.

    Raises:
        InputError: the key is none; the message does not hold it.
    """
    moment = at or datetime.now(UTC)
    signed = Webhook(_decoded(reference, key)).sign(message_id, moment, body.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signed,
    }


def _decoded(reference: str, key: str) -> bytes:
    try:
        raw = base64.b64decode(key.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) not in _LENGTH:
        remedy = f"make one: echo {_PREFIX}$(openssl rand -base64 32)"
        raise InputError(reference, "is no key of Standard Webhooks", remedy)
    return raw
