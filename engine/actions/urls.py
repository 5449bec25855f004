"""The one place that admits a URL which somebody configured, or which a redirect names."""

from __future__ import annotations

from typing import Annotated

import httpx
from pydantic import AfterValidator

from engine.actions.references import BY_KIND, REFERENCE, TEXT, SecretRef

MAX_LENGTH = 4096


def admitted(url: str) -> str:
    """`url`, when it is one that may be called.

    Raises:
        ValueError: it is not; the message does not repeat the URL, which may hold a secret.
    """
    if len(url) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("is no URL; write for example https://ci.example.org/check") from None
    if parsed.scheme not in ("http", "https"):
        raise ValueError("has to begin with http:// or https://")
    if not parsed.host:
        raise ValueError("names no host")
    if parsed.userinfo:
        raise ValueError("must not hold a user or password; give them as a secret in a header")
    return url


def shown(url: str) -> str:
    """`url` for people and records: without the query, which may hold a secret."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}{parsed.path}"


Url = Annotated[str, AfterValidator(admitted)]
"""A URL that may be called."""

UrlGiven = Annotated[Annotated[Url, TEXT] | Annotated[SecretRef, REFERENCE], BY_KIND]
"""A URL, or where to find one that is itself a secret, as chat webhooks' are."""
