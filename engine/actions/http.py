"""Calling a URL: bounded in time, size and redirects, traced, signed where asked."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Annotated, Literal
from uuid import uuid4

import httpx
from pydantic import AfterValidator, Field, field_validator

from engine.actions.heartbeat import beating
from engine.actions.propagation import trace_headers
from engine.actions.references import Given, Known, ResolveSecret, SecretRef
from engine.actions.retrying import retry_after
from engine.actions.signing import signature_headers
from engine.actions.urls import UrlGiven, admitted, shown
from engine.errors import CallError, InputError
from engine.model.base import Digest, Document, Duration, Json
from engine.model.canonical import digest_of_bytes

MAX_ANSWER_BYTES = 1024 * 1024
MAX_REDIRECTS = 3

_KEPT_HEADERS = ("content-type", "date", "etag", "last-modified", "server")
_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "baggage",
        "connection",
        "content-length",
        "host",
        "idempotency-key",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)
_EVERY_REQUEST = {"user-agent": "promotion-engine", "accept-encoding": "identity"}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_FIELD_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?|")
_AGAIN = frozenset({408, 425, 429})


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name} is set by the engine; leave it out")
    return name


def _header_value(value: str | SecretRef) -> str | SecretRef:
    if isinstance(value, str) and not _FIELD_VALUE.fullmatch(value):
        raise ValueError("a header holds printable ASCII on one line")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[Given, AfterValidator(_header_value)]


class HttpRequest(Document):
    """One request.

    Attributes:
        url: where to; a reference for a URL that is itself a secret, as chat webhooks' are.
        headers: beside those of the trace; values may be references to secrets.
        body: a text is sent as it is, as `text/plain`; anything else as JSON.
        timeout: for the whole of it, the answer's body included.
    """

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: UrlGiven
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict, max_length=50)
    body: Json = None
    timeout: Duration = Field(
        default=timedelta(seconds=10), gt=timedelta(), le=timedelta(minutes=10)
    )

    @field_validator("body")
    @classmethod
    def _can_be_sent(cls, body: Json) -> Json:
        try:
            _content(body)
        except ValueError:
            raise ValueError("holds what JSON cannot carry, such as NaN") from None
        return body


@dataclass(frozen=True)
class HttpAnswer:
    """What was answered.

    Attributes:
        headers: those that say what it is and when it was made, by lower-case name.
        body: without the secrets that were sent, where they came back.
        digest: of the body as it came.
        seconds: from the first byte sent to the last received.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    digest: Digest
    seconds: float

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Json:
        """The body as JSON.

        Raises:
            ValueError: it is none.
        """
        try:
            parsed: Json = json.loads(self.body, parse_constant=_no_json)
        except (UnicodeDecodeError, RecursionError) as error:
            raise ValueError("is no JSON") from error
        return parsed


async def call(
    request: HttpRequest,
    *,
    resolve_secret: ResolveSecret,
    sign_with: str | None = None,
    idempotency_key: str = "",
    heartbeat: Callable[[], None] = lambda: None,
) -> HttpAnswer:
    """Make one request, once.

    Args:
        resolve_secret: as `GateServices.secret`.
        sign_with: the reference to the key of a signature by Standard Webhooks; None for none.
        idempotency_key: the same for every try of the same request; goes out as `webhook-id` of a
            signed request, and as `Idempotency-Key` of one that changes something.
        heartbeat: called every few seconds.

    Returns:
        Any answer but those that ask to try again.

    Raises:
        CallError: retryable when there was no answer in time, or it was 408, 425, 429 or 5xx.
        InputError: a secret is missing or cannot be used. No message holds a secret.
    """
    known = Known(resolve_secret)
    url = await _url(request.url, known)
    where = shown(url) if isinstance(request.url, str) else f"the URL of {request.url.secret}"
    content, content_type = _content(request.body)
    headers = {**_EVERY_REQUEST, **content_type, **trace_headers()}
    headers |= await _headers(request.headers, known)
    if idempotency_key and request.method not in ("GET", "HEAD"):
        headers["idempotency-key"] = idempotency_key
    if sign_with is not None:
        key = await known.secret(sign_with)
        headers |= signature_headers(sign_with, key, idempotency_key or str(uuid4()), content)
    started = time.monotonic()
    seconds = request.timeout.total_seconds()
    try:
        async with beating(heartbeat), asyncio.timeout(seconds), _client() as client:
            made = client.build_request(
                request.method, url, headers=headers, content=content or None, timeout=seconds
            )
            response, body = await _sent(client, made, where)
    except TimeoutError:
        raise CallError(f"{where} did not answer within {seconds:g} s") from None
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        raise _unanswered(where, error) from None
    if response.status_code in _AGAIN or response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        told = f"{where} answered {response.status_code} {response.reason_phrase}".rstrip()
        raise CallError(told, retry_after=retry_after(response.headers.get("retry-after")))
    return HttpAnswer(
        status=response.status_code,
        headers={
            name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
        },
        body=known.hidden(body),
        digest=digest_of_bytes(body),
        seconds=time.monotonic() - started,
    )


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(follow_redirects=False, verify=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """The certificate authorities; reading them takes longer than most calls."""
    return httpx.create_ssl_context()


async def _url(given: str | SecretRef, known: Known) -> str:
    if isinstance(given, str):
        return given
    try:
        return admitted(await known.value(given))
    except ValueError as error:
        raise InputError(given.secret, f"cannot be called: {error}") from None


async def _headers(given: Mapping[str, str | SecretRef], known: Known) -> dict[str, str]:
    headers = {name: await known.value(value) for name, value in given.items()}
    for name, value in headers.items():
        if not _FIELD_VALUE.fullmatch(value):
            problem = f"cannot be sent as the header {name}: is not printable ASCII on one line"
            raise InputError(_named(given[name]), problem)
    return {name.lower(): value for name, value in headers.items()}


def _named(value: str | SecretRef) -> str:
    return value if isinstance(value, str) else value.secret


def _content(body: Json) -> tuple[bytes, dict[str, str]]:
    match body:
        case None:
            return b"", {}
        case str():
            return body.encode(), {"content-type": "text/plain; charset=utf-8"}
        case _:
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            return text.encode(), {"content-type": "application/json"}


async def _sent(
    client: httpx.AsyncClient, request: httpx.Request, where: str
) -> tuple[httpx.Response, bytes]:
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True)
        try:
            following = response.next_request
            if following is None:
                return response, await _received(response, where)
        finally:
            await response.aclose()
        request = _redirected(request, following, where)
    raise CallError(f"{where} redirects more than {MAX_REDIRECTS} times", retryable=False)


def _redirected(request: httpx.Request, following: httpx.Request, where: str) -> httpx.Request:
    if request.method not in ("GET", "HEAD"):
        # What it would be repeated as differs from what was signed and asked.
        problem = f"redirects a {request.method}; configure the URL that it redirects to"
        raise CallError(f"{where} {problem}", retryable=False)
    try:
        admitted(str(following.url))
    except ValueError as error:
        raise CallError(f"{where} redirects to what {error}", retryable=False) from None
    if _origin(following.url) != _origin(request.url):
        raise CallError(
            f"{where} redirects to another host, {following.url.host}; configure that URL",
            retryable=False,
        )
    return following


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


async def _received(response: httpx.Response, where: str) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        # It might unpack to any size.
        raise CallError(f"{where} sent a packed body, which was not asked for", retryable=False)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            limit = f"{MAX_ANSWER_BYTES // 1024} KiB"
            raise CallError(f"the answer of {where} is larger than {limit}", retryable=False)
    return bytes(body)


def _unanswered(where: str, error: Exception) -> CallError:
    # httpx's texts are shown where they cannot quote a header's value.
    match error:
        case httpx.ConnectTimeout():
            told = "cannot be reached in time"
        case httpx.ConnectError():
            told = f"cannot be reached: {error}"
        case httpx.RemoteProtocolError():
            told = "broke off, or does not speak HTTP"
        case _:
            told = f"gave no answer ({type(error).__name__})"
    final = isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL)
    return CallError(f"{where} {told}", retryable=not final)


def _no_json(constant: str) -> Json:
    raise ValueError(f"{constant} is no JSON")
