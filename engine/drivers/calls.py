"""Calls over HTTP in the attributes of OpenTelemetry's conventions.

Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from engine.model.verdict import AttributeValue

_PORTS: Final = {"http": 80, "https": 443}


def http_call(url: str, *, status: int | None, resent: int = 0) -> dict[str, AttributeValue]:
    """The attributes of one GET request.

    Args:
        url: what was asked; user, password, query and fragment, which may be secret, are left out.
        status: of the answer; None when there was none.
        resent: how often the same had been asked before.
    """
    parts = urlsplit(url)
    attributes: dict[str, AttributeValue] = {
        "http.request.method": "GET",
        "url.full": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}",
        "server.address": parts.hostname or "",
    }
    port = _port(parts)
    if port is not None:
        attributes["server.port"] = port
    if status is not None:
        attributes["http.response.status_code"] = status
    if resent:
        attributes["http.request.resend_count"] = resent
    return attributes


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        # Whoever makes the call says what is wrong with the address.
        return None
