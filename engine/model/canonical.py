"""Canonical JSON (RFC 8785) and the digests over it.

Source: https://www.rfc-editor.org/rfc/rfc8785
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import rfc8785
from pydantic import BaseModel


def canonical_json(value: object) -> bytes:
    """The RFC 8785 bytes of a model or of plain JSON data.

    Raises:
        ValueError: the data has no JSON form (a NaN, an integer beyond 2**53, …).
    """
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    try:
        return rfc8785.dumps(cast("Any", plain))
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"no canonical JSON form: {error}") from error


def sha256_hex(data: bytes) -> str:
    """The SHA-256 of `data`, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of_bytes(data: bytes) -> str:
    """The digest of `data` in the form `sha256:<hex>`."""
    return f"sha256:{sha256_hex(data)}"


def digest_of(value: object) -> str:
    """The digest of `value`'s canonical JSON in the form `sha256:<hex>`."""
    return digest_of_bytes(canonical_json(value))
