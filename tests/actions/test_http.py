"""Calls to real servers on loopback: what goes out, what is taken in, what is refused."""

from __future__ import annotations

import base64
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic import ValidationError
from standardwebhooks import Webhook

from engine.actions import http
from engine.actions.http import HttpAnswer, HttpRequest
from engine.actions.retrying import LONGEST, retry_after
from engine.actions.signing import signature_headers
from engine.errors import CallError, InputError
from engine.model.canonical import digest_of_bytes
from tests.actions.conftest import SECRETS, resolve
from tests.harness.answering import Answer, Answering

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()


async def call(url: str, **given: Any) -> HttpAnswer:
    return await http.call(
        HttpRequest.model_validate({"url": url, **given}), resolve_secret=resolve
    )


async def test_a_request_carries_method_headers_secrets_and_body(server: Answering) -> None:
    server.answers["/check"] = Answer(201, {"fine": True}, {"Content-Type": "application/json"})
    answer = await call(
        f"{server.url}/check?q=1",
        method="POST",
        headers={"Authorization": {"secret": "env:TOKEN"}, "X-Team": "web"},
        body={"release": "web@1.0.0", "n": [1, None]},
    )
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/check?q=1")
    assert asked.headers["authorization"] == SECRETS["env:TOKEN"]
    assert asked.headers["x-team"] == "web"
    assert asked.headers["content-type"] == "application/json"
    assert asked.json() == {"release": "web@1.0.0", "n": [1, None]}
    assert (answer.status, answer.json()) == (201, {"fine": True})
    assert answer.digest == digest_of_bytes(b'{"fine": true}')
    assert answer.headers["content-type"] == "application/json"
    assert answer.seconds > 0


async def test_a_text_goes_out_as_it_is(server: Answering) -> None:
    server.answers["/"] = Answer()
    await call(f"{server.url}/", method="PUT", body="naïve")
    assert server.asked[0].body == "naïve".encode()
    assert server.asked[0].headers["content-type"] == "text/plain; charset=utf-8"


async def test_the_trace_goes_with_it(server: Answering) -> None:
    server.answers["/"] = Answer()
    span = TracerProvider().get_tracer("test").start_span("work")
    token = context.attach(baggage.set_baggage("tenant.id", "t1", trace.set_span_in_context(span)))
    try:
        await call(f"{server.url}/")
    finally:
        context.detach(token)
    sent = server.asked[0].headers
    assert sent["traceparent"].split("-")[1] == f"{span.get_span_context().trace_id:032x}"
    assert sent["traceparent"].split("-")[2] == f"{span.get_span_context().span_id:016x}"
    assert sent["baggage"] == "tenant.id=t1"


async def test_a_signed_request_is_verified_by_the_reference_library(server: Answering) -> None:
    server.answers["/"] = Answer()

    async def key(reference: str) -> str:
        assert reference == "env:KEY"
        return KEY

    await http.call(
        HttpRequest(method="POST", url=f"{server.url}/", body={"a": "ü"}),
        resolve_secret=key,
        sign_with="env:KEY",
        idempotency_key="msg_1",
    )
    (asked,) = server.asked
    assert asked.headers["webhook-id"] == asked.headers["idempotency-key"] == "msg_1"
    assert Webhook(KEY).verify(asked.body, dict(asked.headers)) == {"a": "ü"}


def test_a_signature_is_the_one_that_the_specification_gives() -> None:
    # The example of https://github.com/standard-webhooks/standard-webhooks, of all its libraries.
    headers = signature_headers(
        "env:KEY",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("key", ["", "hunter2", "whsec_!!!", "c2hvcnQ=", "A" * 200])
def test_a_bad_key_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(InputError) as refused:
        signature_headers("env:KEY", key, "m", b"")
    assert refused.value.field == "env:KEY"
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize("status", [500, 502, 503, 408, 425, 429])
async def test_an_answer_that_may_change_is_to_be_tried_again(
    server: Answering, status: int
) -> None:
    server.answers["/"] = Answer(status, headers={"Retry-After": "7"})
    with pytest.raises(CallError, match=f"answered {status}") as failed:
        await call(f"{server.url}/")
    assert failed.value.retryable
    assert failed.value.retry_after == 7


@pytest.mark.parametrize("status", [204, 304, 400, 401, 404, 422])
async def test_any_other_answer_is_given_back(server: Answering, status: int) -> None:
    server.answers["/"] = Answer(status)
    assert (await call(f"{server.url}/")).status == status


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert retry_after("120", now) == 120
    assert retry_after(format_datetime(now + timedelta(seconds=30), usegmt=True), now) == 30
    assert retry_after(format_datetime(now - timedelta(hours=1), usegmt=True), now) == 0
    assert retry_after("999999999999", now) == LONGEST
    for unreadable in (None, "", "soon", "-5", "1.5"):
        assert retry_after(unreadable, now) is None


async def test_nobody_there_is_to_be_tried_again() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(CallError, match="cannot be reached") as failed:
            await call(f"http://127.0.0.1:{reserved.getsockname()[1]}/")
    assert failed.value.retryable


async def test_a_server_that_keeps_silent_costs_the_timeout_at_most(server: Answering) -> None:
    server.answers["/slow"] = Answer(delay=1.5)
    with pytest.raises(CallError, match=r"did not answer within 0\.2 s") as failed:
        await call(f"{server.url}/slow?token=abc", timeout="200ms")
    assert failed.value.retryable
    assert "abc" not in str(failed.value)


async def test_something_else_than_http_is_to_be_tried_again() -> None:
    import asyncio

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-other\r\n")
        writer.close()

    listening = await asyncio.start_server(other, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(CallError, match="does not speak HTTP"):
            await call(f"http://127.0.0.1:{port}/")


async def test_a_body_is_bounded(server: Answering) -> None:
    server.answers["/fits"] = Answer(body=b"x" * http.MAX_ANSWER_BYTES)
    server.answers["/large"] = Answer(body=b"x" * (http.MAX_ANSWER_BYTES + 1))
    assert len((await call(f"{server.url}/fits")).body) == http.MAX_ANSWER_BYTES
    with pytest.raises(CallError, match="larger than 1024 KiB") as failed:
        await call(f"{server.url}/large")
    assert not failed.value.retryable


async def test_a_packed_body_is_not_unpacked(server: Answering) -> None:
    server.answers["/"] = Answer(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    with pytest.raises(CallError, match="packed body"):
        await call(f"{server.url}/")
    assert server.asked[0].headers["accept-encoding"] == "identity"


async def test_redirects_stay_on_the_host_and_end(server: Answering) -> None:
    server.answers["/a"] = Answer(302, headers={"Location": "/b"})
    server.answers["/b"] = Answer(body="here")
    server.answers["/loop"] = Answer(307, headers={"Location": "/loop"})
    server.answers["/away"] = Answer(302, headers={"Location": "http://localhost:1/x"})
    server.answers["/file"] = Answer(302, headers={"Location": "file:///etc/passwd"})
    server.answers["/user"] = Answer(
        302, headers={"Location": server.url.replace("http://", "http://u:p@") + "/b"}
    )
    assert (await call(f"{server.url}/a")).text == "here"
    for path, told in {
        "/loop": "more than 3 times",
        "/away": "another host, localhost",
        "/file": "has to begin with http",
        "/user": "must not hold a user",
    }.items():
        with pytest.raises(CallError, match=told) as failed:
            await call(f"{server.url}{path}")
        assert not failed.value.retryable


async def test_what_changes_something_is_not_redirected(server: Answering) -> None:
    server.answers["/a"] = Answer(307, headers={"Location": "/b"})
    with pytest.raises(CallError, match="redirects a POST"):
        await call(f"{server.url}/a", method="POST", body="x")
    assert len(server.asked) == 1


async def test_a_secret_that_comes_back_is_hidden(server: Answering) -> None:
    server.answers["/"] = lambda asked: Answer(body=f"you sent {asked.headers['x-token']}")
    answer = await call(f"{server.url}/", headers={"X-Token": {"secret": "env:TOKEN"}})
    assert answer.text == "you sent ***"
    assert answer.digest == digest_of_bytes(f"you sent {SECRETS['env:TOKEN']}".encode())


async def test_a_url_may_be_a_secret(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECRETS, "env:HOOK", f"{server.url}/services/T0/B0/abc")
    server.answers["/services/T0/B0/abc"] = Answer(503)
    with pytest.raises(CallError) as failed:
        await http.call(
            HttpRequest.model_validate({"url": {"secret": "env:HOOK"}}), resolve_secret=resolve
        )
    assert str(failed.value) == "the URL of env:HOOK answered 503 Service Unavailable"
    monkeypatch.setitem(SECRETS, "env:HOOK", "ftp://secret.example.org/")
    with pytest.raises(InputError) as refused:
        await http.call(
            HttpRequest.model_validate({"url": {"secret": "env:HOOK"}}), resolve_secret=resolve
        )
    assert "secret.example" not in str(refused.value)


@pytest.mark.parametrize("reference", ["env:MULTI", "env:NOT_SET"])
async def test_a_secret_that_cannot_be_sent_is_named_not_told(
    server: Answering, reference: str
) -> None:
    with pytest.raises(InputError) as refused:
        await call(f"{server.url}/", headers={"X-Token": {"secret": reference}})
    assert refused.value.field == reference
    assert "two" not in str(refused.value)
    assert not server.asked


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://example.org/", "has to begin with http"),
        ("file:///etc/passwd", "has to begin with http"),
        ("example.org/check", "has to begin with http"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://user:pass@example.org/", "must not hold a user"),
        ("http://user@example.org/", "must not hold a user"),
        ("http://exa mple.org:port/", "is no URL"),
        ("http://example.org/\n", "is no URL"),
        (f"http://example.org/{'a' * 5000}", "is longer than"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused(url: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        HttpRequest.model_validate({"url": url})


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"Bad Name": "x"}},
        {"headers": {"Host": "x"}},
        {"headers": {"traceparent": "x"}},
        {"headers": {"Webhook-Signature": "x"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X": {"secret": "PLAIN"}}},
        {"headers": {"X": {"secret": "env:X", "other": 1}}},
        {"timeout": "0s"},
        {"timeout": "11m"},
        {"method": "TRACE"},
        {"body": {"figure": float("nan")}},
        {"unknown": 1},
    ],
)
def test_a_wrong_request_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpRequest.model_validate({"url": "http://example.org/", **given})


async def test_it_says_that_it_is_at_work(server: Answering) -> None:
    server.answers["/"] = Answer()
    beats: list[int] = []
    await http.call(
        HttpRequest(url=f"{server.url}/"),
        resolve_secret=resolve,
        heartbeat=lambda: beats.append(1),
    )
    assert beats
