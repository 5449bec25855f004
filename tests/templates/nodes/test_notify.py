"""The node type `notify`: webhooks and mail, to real servers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks import Webhook

from engine.errors import CallError, StepError
from engine.templates.nodes.notify import NotifyInputs
from tests.harness.answering import Answer, Answering, answering
from tests.harness.mail import MailBox, certificate, mail_box
from tests.templates.nodes.steps import RUN, do

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
MAIL = {"sender": "promote@example.org", "to": ["ops@example.org", "dev@example.org"]}


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as running:
        running.answers["/hook"] = Answer(200, "ok")
        yield running


async def test_a_webhook_gets_a_signed_message_that_can_be_known_again(server: Answering) -> None:
    report = await do(
        "notify",
        {
            "webhook": {"url": f"{server.url}/hook", "sign_with": {"secret": "env:KEY"}},
            "subject": "done",
            "text": "all of it",
        },
        secrets={"env:KEY": KEY},
    )
    assert report.detail == f"{server.url}/hook took the message"
    (asked,) = server.asked
    Webhook(KEY).verify(asked.body, dict(asked.headers))
    assert asked.headers["webhook-id"] == str(RUN)
    message = asked.json()
    assert (message["type"], message["subject"], message["text"]) == (
        "promotion.notification",
        "done",
        "all of it",
    )
    assert message["promotion"]["release"]["name"] == "web"


async def test_slack_gets_a_text_at_a_secret_url(server: Answering) -> None:
    report = await do(
        "notify",
        {"slack": {"url": {"secret": "env:HOOK"}}},
        secrets={"env:HOOK": f"{server.url}/hook"},
    )
    assert server.url not in report.detail
    text = server.asked[0].json()["text"]
    assert text.startswith("*web@1.0.0 to production*\nRequested by alice\n")


@pytest.mark.parametrize(
    ("status", "error", "problem"),
    [(400, StepError, "has not taken the message"), (503, CallError, "answered 503")],
)
async def test_a_message_that_is_not_taken_fails_the_step(
    server: Answering, status: int, error: type[Exception], problem: str
) -> None:
    server.answers["/hook"] = Answer(status)
    with pytest.raises(error, match=problem):
        await do("notify", {"webhook": {"url": f"{server.url}/hook"}})


@pytest.fixture
def box() -> Iterator[MailBox]:
    with mail_box() as running:
        yield running


def email(box: MailBox, **more: Any) -> dict[str, Any]:
    server = {"host": "127.0.0.1", "port": box.port, "security": "none"}
    return {"email": {**server, **MAIL, **more}, "subject": "web\nis out", "text": "Grüße\n"}


async def test_a_mail_reaches_its_readers(box: MailBox) -> None:
    report = await do("notify", email(box))
    assert report.outputs == {"recipients": ["ops@example.org", "dev@example.org"]}
    (mail,) = box.mails
    assert mail.recipients == MAIL["to"]
    assert mail.message["Subject"] == "web is out"
    assert mail.message["Message-ID"] == f"<{RUN}@example.org>"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.text == "Grüße\n"


async def test_who_is_refused_is_told(box: MailBox) -> None:
    box.refused.add("dev@example.org")
    with pytest.raises(StepError, match=r"refuses dev@example.org, and took it for the others"):
        await do("notify", email(box))
    box.refused.add("ops@example.org")
    with pytest.raises(CallError, match="refuses every recipient") as refused:
        await do("notify", email(box))
    assert not refused.value.retryable


async def test_a_password_goes_over_an_encrypted_line_only(box: MailBox) -> None:
    login = {"username": "promote", "password": {"secret": "env:TOKEN"}}
    # The server speaks no TLS, so that nothing is said to it.
    with pytest.raises(CallError) as failed:
        await do("notify", email(box, security="starttls", **login))
    assert "t0p-s3cret" not in str(failed.value)
    assert box.logins == []
    with pytest.raises(ValidationError, match="not sent in the clear"):
        NotifyInputs.model_validate(email(box, **login))


async def test_a_login_over_starttls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path)
    login = {"username": "promote", "password": {"secret": "env:TOKEN"}, "security": "starttls"}
    with mail_box(pem) as box:
        with pytest.raises(CallError, match="cannot be reached"):
            # Nobody vouches for the server's certificate.
            await do("notify", email(box, **login))
        assert box.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        await do("notify", email(box, **login))
        assert box.logins == ["promote:t0p-s3cret-value"]
        assert len(box.mails) == 1
        with pytest.raises(CallError, match=r"refuses the login \(535\)") as refused:
            await do("notify", email(box, **login), secrets={"env:TOKEN": "wr0ng-s3cret"})
        assert "wr0ng" not in str(refused.value)
        assert not refused.value.retryable


async def test_a_mail_server_that_is_not_there(box: MailBox) -> None:
    with pytest.raises(CallError, match=r"the mail server 127\.0\.0\.1:9 cannot be reached"):
        await do("notify", email(box, port=9))


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"text": "x"}, "needs exactly one of webhook, slack, email, plugin"),
        ({"slack": {"url": "http://x/"}, "webhook": {"url": "http://x/"}}, "exactly one of"),
        ({"email": {"host": "x", "sender": "a\n@b", "to": ["a@b"]}}, "sender"),
        ({"email": {"host": "x", "sender": "a@b", "to": ["a@b, c@d"]}}, "to"),
        ({"email": {"host": "x", "sender": "a@b", "to": ["a@b"], "username": "u"}}, "go together"),
    ],
)
def test_messages_that_cannot_be_sent_are_refused(inputs: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        NotifyInputs.model_validate(inputs)
