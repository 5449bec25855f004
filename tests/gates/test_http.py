"""The table of the gate `http`, over a real server: answers, callbacks, and what breaks it."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook

from engine.errors import GateError
from engine.gates.http_asking import MOST_QUESTIONS
from engine.gates.http_config import HttpConfig
from engine.gates.protocol import Callback
from engine.model.canonical import digest_of_bytes
from engine.model.verdict import Allow, Defer, Deny, Verdict
from tests.gates.asked import Asked
from tests.gates.builders import NOON, Services, promotion
from tests.harness.answering import Answer, Answering

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
LATER = "2026-03-02T13:00:00Z"


def gate(server: Answering, services: Services | None = None, **config: Any) -> Asked:
    return Asked("http", {"url": f"{server.url}/check", **config}, services)


@pytest.mark.parametrize(
    ("answer", "config", "kind", "told"),
    [
        (Answer(200, {"verdict": "allow", "reason": "CHG-42"}), {}, Allow, "CHG-42"),
        (Answer(201, {"verdict": "allow"}), {}, Allow, "/check answered 201"),
        (Answer(200, {"verdict": "deny", "reason": "no change"}), {}, Deny, "no change"),
        (Answer(200, {"verdict": "deny", "reason": "a\n\x1b[31mb" * 400}), {}, Deny, "a [31mb"),
        (Answer(200, {"verdict": "defer", "reason": "on it"}), {}, Defer, "on it"),
        (Answer(200, {"verdict": "defer", "until": LATER}), {}, Defer, "has not decided yet"),
        (Answer(200, {"verdict": "allow", "more": [1]}), {}, Allow, ""),
        (Answer(204), {"verdict": "status"}, Allow, "/check answered 204"),
        (Answer(200, "fine\nreally"), {"verdict": "status"}, Allow, "fine"),
        (Answer(409, "no window\n"), {"verdict": "status"}, Deny, "no window"),
        (Answer(403, {"reason": "not you"}), {"verdict": "status"}, Deny, "not you"),
        (Answer(202), {"verdict": "status"}, Allow, "answered 202"),
    ],
)
async def test_what_an_answer_comes_to(
    server: Answering, answer: Answer, config: dict[str, Any], kind: type[Verdict], told: str
) -> None:
    server.answers["/check"] = answer
    verdict = await gate(server, **config).at()
    assert isinstance(verdict, kind)
    assert told in verdict.reason
    assert len(verdict.reason) <= 500
    assert verdict.reason.isprintable()


@pytest.mark.parametrize(
    ("answer", "config", "told", "retryable"),
    [
        (Answer(500), {}, "cannot ask: .*answered 500", True),
        (Answer(503, headers={"Retry-After": "4"}), {"verdict": "status"}, "answered 503", True),
        (Answer(404, "nobody here"), {}, "answered 404: nobody here", False),
        (Answer(200, "yes"), {}, "gave no verdict", False),
        (Answer(200, ["allow"]), {}, "is no JSON object", False),
        (Answer(200, {"verdict": "maybe"}), {}, r"answer\.verdict", False),
        (Answer(200, {"ok": True}), {}, r"answer\.verdict: is required", False),
        (Answer(200, {"verdict": "defer", "until": "soon"}), {}, r"answer\.until", False),
        (Answer(304), {"verdict": "status"}, "which is no verdict", False),
        (Answer(202), {}, "gave no verdict", False),
        (Answer(301, headers={"Location": "/x"}), {}, "redirects a POST", False),
    ],
)
async def test_what_breaks_it(
    server: Answering, answer: Answer, config: dict[str, Any], told: str, retryable: bool
) -> None:
    server.answers["/check"] = answer
    with pytest.raises(GateError, match=told) as broken:
        await gate(server, **config).at()
    assert broken.value.retryable is retryable


async def test_the_question_says_what_is_promoted_where_and_for_whom(server: Answering) -> None:
    server.answers["/check"] = Answer(200, {"verdict": "allow"})
    services = Services(secrets={"env:KEY": KEY, "env:TEAM": "web"})
    await gate(
        server,
        services,
        sign_with={"secret": "env:KEY"},
        headers={"X-Team": {"secret": "env:TEAM"}},
    ).at()
    (asked,) = server.asked
    release = promotion().release
    assert asked.json() == {
        "promotion": {
            "id": "5b1d5b3c-8f3c-4b57-9d3c-0d2f6a2f6a10",
            "workflow_id": "promotion/5b1d5b3c-8f3c-4b57-9d3c-0d2f6a2f6a10",
            "tenant": "default",
            "requested_by": "alice",
            "reason": "",
            "requested_at": "2026-03-02T12:00:00Z",
            "is_rollback": False,
        },
        "release": {
            "name": "web",
            "version": "1.0.0",
            "ref": "web@1.0.0",
            "digest": release.digest,
            "components": [
                {
                    "name": "web",
                    "artifact": "file:///srv/web.tar.gz",
                    "digest": digest_of_bytes(b"web"),
                }
            ],
        },
        "environment": {"name": "production", "order": 1, "target_count": 3},
        "gate": {"name": "checked", "type": "http", "opened_at": "2026-03-02T12:00:00Z"},
    }
    assert asked.headers["x-team"] == "web"
    assert asked.headers["idempotency-key"] == asked.headers["webhook-id"]
    assert Webhook(KEY).verify(asked.body, dict(asked.headers)) == asked.json()


async def test_a_get_sends_no_body(server: Answering) -> None:
    server.answers["/check"] = Answer(200, {"verdict": "allow"})
    assert isinstance(await gate(server, method="GET").at(), Allow)
    assert (server.asked[0].method, server.asked[0].body) == ("GET", b"")


async def test_the_answer_is_on_record(server: Answering) -> None:
    server.answers["/check"] = Answer(200, {"verdict": "deny"})
    verdict = await gate(server, url=f"{server.url}/check?token=abc").at()
    digest = digest_of_bytes(b'{"verdict": "deny"}')
    assert verdict.inputs == {"answer": digest}
    answer = verdict.evidence["answer"]
    assert isinstance(answer, dict)
    assert (answer["status"], answer["digest"]) == (200, digest)
    assert verdict.attributes["http.response.status_code"] == 200
    assert verdict.attributes["url.full"] == f"{server.url}/check"
    assert "abc" not in verdict.model_dump_json()


async def test_a_deferred_question_is_put_again_at_its_time_and_not_before(
    server: Answering,
) -> None:
    server.answers["/check"] = Answer(200, {"verdict": "defer", "until": LATER})
    asked = gate(server)
    first = await asked.at()
    assert isinstance(first, Defer)
    assert first.until == NOON + timedelta(hours=1)
    early = await asked.at(NOON + timedelta(minutes=59))
    assert isinstance(early, Defer)
    assert early.until == first.until
    assert len(server.asked) == 1
    server.answers["/check"] = Answer(200, {"verdict": "allow"})
    assert isinstance(await asked.at(NOON + timedelta(hours=1)), Allow)
    first_key, second_key = (each.headers["idempotency-key"] for each in server.asked)
    assert first_key != second_key


@pytest.mark.parametrize("until", [None, "2026-03-02T11:00:00Z", "2026-03-02T12:00:01Z"])
async def test_without_a_time_to_come_it_is_put_again_after_the_poll(
    server: Answering, until: str | None
) -> None:
    server.answers["/check"] = Answer(200, {"verdict": "defer", "until": until})
    verdict = await gate(server, poll="2m").at()
    assert isinstance(verdict, Defer)
    assert verdict.until == NOON + timedelta(minutes=2)


async def test_a_repetition_of_the_question_is_the_same_question(server: Answering) -> None:
    server.answers["/check"] = Answer(503)
    asked = gate(server, callback=True)
    assert isinstance(await asked.at(), Defer)
    for _ in range(2):
        with pytest.raises(GateError):
            await asked.at(NOON + timedelta(seconds=1))
    first, second = server.asked
    assert first.body == second.body
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_the_waiting_ends(server: Answering) -> None:
    server.answers["/check"] = Answer(200, {"verdict": "defer", "reason": "still looking"})
    asked = gate(server, timeout="90s")
    assert isinstance(await asked.at(), Defer)
    second = await asked.at(NOON + timedelta(minutes=1))
    assert isinstance(second, Defer)
    assert second.until == NOON + timedelta(seconds=90)
    verdict = await asked.at(NOON + timedelta(seconds=90))
    assert isinstance(verdict, Deny)
    assert verdict.reason == "no verdict within 1m30s; it said: still looking"
    assert len(server.asked) == 2


async def test_a_service_that_defers_for_ever_is_given_up(server: Answering) -> None:
    server.answers["/check"] = Answer(200, {"verdict": "defer"})
    asked = gate(server)
    await asked.at()
    asked.memory["questions"] = MOST_QUESTIONS
    with pytest.raises(GateError, match="has deferred 2000 times"):
        await asked.at(NOON + timedelta(hours=1))


class Promised:
    """A gate that was told to wait for a callback."""

    def __init__(self, server: Answering, **config: Any) -> None:
        self.server = server
        self.asked = gate(server, callback=True, timeout="8h", **config)
        self.token = ""

    async def opened(self, answer: Answer) -> Verdict:
        self.server.answers["/check"] = answer
        before = await self.asked.at()
        assert isinstance(before, Defer)
        assert not self.server.asked, "the token has to be on record before it is given out"
        self.token = before.callback_token
        return await self.asked.at(NOON + timedelta(seconds=1))

    def calls_back(self, token: str | None = None, **body: Any) -> None:
        callback = Callback(gate="checked", token=token or self.token, body=body, at=NOON)
        self.asked.callbacks.append(callback)

    async def at(self, hours: float = 1) -> Verdict:
        return await self.asked.at(NOON + timedelta(hours=hours))


@pytest.mark.parametrize(
    "answer",
    [Answer(202, "queued as 17"), Answer(200, {"verdict": "defer", "reason": "queued as 17"})],
)
async def test_it_waits_for_a_callback_and_takes_its_word(
    server: Answering, answer: Answer
) -> None:
    promised = Promised(server)
    waiting = await promised.opened(answer)
    assert isinstance(waiting, Defer)
    assert waiting.reason == "queued as 17"
    assert waiting.until == NOON + timedelta(hours=8)
    assert waiting.callback_token == promised.token
    assert server.asked[0].json()["callback"] == {
        "workflow_id": promotion().workflow_id,
        "update": "gate_callback",
        "gate": "checked",
        "token": promised.token,
        "until": "2026-03-02T20:00:00Z",
    }
    assert isinstance(await promised.at(), Defer)
    promised.calls_back(verdict="allow", reason="CHG-42")
    verdict = await promised.at()
    assert isinstance(verdict, Allow)
    assert verdict.reason == "CHG-42"
    assert verdict.inputs.keys() == {"callback"}
    assert verdict.attributes["http.gate.wait_seconds"] == 3600
    assert len(server.asked) == 1


async def test_a_callback_may_come_before_the_answer(server: Answering) -> None:
    promised = Promised(server)
    before = await promised.asked.at()
    assert isinstance(before, Defer)
    promised.token = before.callback_token
    promised.calls_back(verdict="deny", reason="too early")
    verdict = await promised.at(0)
    assert isinstance(verdict, Deny)
    assert not server.asked


@pytest.mark.parametrize(
    ("callbacks", "kind", "told"),
    [
        ([{"verdict": "deny", "reason": "broken"}], Deny, "broken"),
        ([{"verdict": "deny"}], Deny, "decided by callback"),
        ([{"verdict": "defer", "reason": "half of it"}], Defer, "half of it"),
        ([{"verdict": "perhaps"}], Defer, "a callback could not be read"),
        ([{}], Defer, "send another"),
        ([{"verdict": "perhaps"}, {"verdict": "allow"}], Allow, ""),
        ([{"verdict": "allow"}, {"verdict": "deny"}], Deny, ""),
        ([{"verdict": "allow", "token": "x" * 43}], Defer, "queued"),
    ],
)
async def test_what_callbacks_come_to(
    server: Answering, callbacks: list[dict[str, Any]], kind: type[Verdict], told: str
) -> None:
    promised = Promised(server)
    await promised.opened(Answer(202, "queued"))
    for body in callbacks:
        promised.calls_back(**body)
    verdict = await promised.at()
    assert isinstance(verdict, kind)
    assert told in verdict.reason


async def test_no_callback_in_time_denies(server: Answering) -> None:
    promised = Promised(server)
    await promised.opened(Answer(202))
    verdict = await promised.at(8)
    assert isinstance(verdict, Deny)
    assert "no verdict within 8h" in verdict.reason


async def test_a_callback_that_was_promised_may_be_asked_for_again_at_a_time(
    server: Answering,
) -> None:
    promised = Promised(server)
    await promised.opened(Answer(200, {"verdict": "defer", "until": LATER}))
    server.answers["/check"] = Answer(200, {"verdict": "allow"})
    assert isinstance(await promised.at(0.5), Defer)
    assert isinstance(await promised.at(1), Allow)


async def test_tokens_differ_and_cannot_be_guessed(server: Answering) -> None:
    tokens = set()
    for _ in range(5):
        waiting = await gate(server, callback=True).at()
        assert isinstance(waiting, Defer)
        assert len(waiting.callback_token) >= 43
        tokens.add(waiting.callback_token)
    assert len(tokens) == 5


async def test_a_secret_url_is_shown_nowhere(server: Answering) -> None:
    server.answers["/hooks/abc123"] = Answer(200, {"verdict": "defer"})
    services = Services(secrets={"env:HOOK": f"{server.url}/hooks/abc123"})
    verdict = await gate(server, services, url={"secret": "env:HOOK"}).at(datetime.now(NOON.tzinfo))
    assert "abc123" not in verdict.model_dump_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://example.org/"},
        {"url": "https://u:p@example.org/"},
        {"method": "DELETE"},
        {"sign_with": "env:KEY"},
        {"verdict": "body"},
        {"callback": "yes"},
        {"poll": "1s"},
        {"timeout": "0s"},
        {"request_timeout": "1h"},
        {"headers": {"Webhook-Id": "x"}},
    ],
)
def test_a_wrong_configuration_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpConfig.model_validate({"url": "https://example.org/", **changes})
