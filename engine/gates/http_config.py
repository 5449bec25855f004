"""What the gate `http` takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, StrictBool

from engine.actions.http import HeaderName, HeaderValue
from engine.actions.references import SecretRef
from engine.actions.urls import UrlGiven
from engine.model.base import Document, Duration
from engine.model.gate_config import LONGEST_WAIT

SHORTEST_POLL = timedelta(seconds=5)


class HttpConfig(Document):
    """Whom to ask, and how.

    Attributes:
        url: or where to find it, when it is itself a secret.
        headers: beside those of the trace; values may be references to secrets.
        sign_with: the key of a signature by Standard Webhooks.
        verdict: whether the answer's body holds the verdict, or its status is one: 2xx allows, and
            4xx denies.
        callback: whether the service may answer 202, and give its verdict by the update
            `gate_callback` later.
        poll: when to ask again after an answer that defers without naming a time.
        timeout: from the first question to a verdict.
        request_timeout: of one request.
    """

    url: UrlGiven
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, max_length=50)
    sign_with: SecretRef | None = None
    verdict: Literal["answer", "status"] = "answer"
    callback: StrictBool = False
    poll: Duration = Field(default=timedelta(minutes=1), ge=SHORTEST_POLL, le=LONGEST_WAIT)
    timeout: Duration = Field(default=timedelta(hours=24), gt=timedelta(0), le=LONGEST_WAIT)
    request_timeout: Duration = Field(
        default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(minutes=10)
    )
