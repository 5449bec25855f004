from __future__ import annotations

import pytest

from engine.logs.secrets import without_secrets
from engine.telemetry.events import event
from tests.logs.conftest import Log, raised

CANARY = "canary-9f2b"


@pytest.mark.parametrize(
    "text",
    [
        f"password={CANARY}",
        f"PGPASSWORD={CANARY} psql",
        f"{{'db': {{'password': '{CANARY} with blanks'}}}}",
        f'{{"api_key":"{CANARY}"}}',
        f"Authorization: Bearer {CANARY}",
        f"authorization: Basic {CANARY}, accept: */*",
        f"X-Auth-Token: {CANARY}",
        f"GET https://host/a?b=1&access_token={CANARY}&c=2",
        f"postgresql://promote:{CANARY}@db/promote",
        f"https://{CANARY}@host/a",
        f"cookie: {CANARY}",
    ],
)
def test_a_secret_in_a_text_is_replaced(text: str) -> None:
    hidden = without_secrets(text)
    assert CANARY not in hidden
    assert "[redacted]" in hidden


@pytest.mark.parametrize(
    "text",
    [
        "gate approval passed: approved by bob",
        "evidence signed by key 9ac5a2a8",
        "125 bytes from https://host:8443/web.tar.gz",
        "input_value={'release': 'web@1.0.0'}",
        "agent.task.pull failed in attempt 2: no answer from 10.0.0.1:80",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def test_no_part_of_a_line_has_a_secret(log: Log, console: Log) -> None:
    log.logger.error(
        "bad settings: token=%s",
        CANARY,
        exc_info=raised(ValueError(f"cannot connect: password={CANARY}")),
        extra=event("x", {"db.password": CANARY, "url": f"https://me:{CANARY}@host/"}),
    )
    assert CANARY not in log.text
    assert log.line["attributes"]["db.password"] == "[redacted]"
    assert CANARY not in console.text
    assert "bad settings" in console.text
