"""The table of the gate `command`, over programs that run."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import GateError
from engine.model.canonical import digest_of_bytes
from engine.model.verdict import Allow, Defer, Deny, Verdict
from tests.gates.asked import Asked
from tests.gates.builders import NOON, Services


def gate(code: str, services: Services | None = None, **config: Any) -> Asked:
    return Asked("command", {"command": [sys.executable, "-c", code], **config}, services)


SAYS = "import json; print(json.dumps({}))".format


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        ("print('room enough'); print('more')", Allow, "room enough"),
        ("pass", Allow, "ended with exit code 0"),
        ("print('\\n  full\\n'); exit(1)", Deny, "full"),
        ("exit(1)", Deny, "ended with exit code 1"),
        (SAYS({"verdict": "allow", "reason": "ok"}), Allow, "ok"),
        (SAYS({"verdict": "deny", "reason": "not ok"}), Deny, "not ok"),
        (SAYS({"verdict": "allow", "reason": "odd"}) + "; exit(1)", Deny, "odd"),
        (SAYS({"verdict": "defer", "until": "2026-03-02T13:00:00Z"}), Defer, "asks for time"),
        (SAYS({"free": 3}), Allow, '{"free": 3}'),
        ("print('x' * 1000)", Allow, "…"),
    ],
)
async def test_what_an_end_comes_to(code: str, kind: type[Verdict], told: str) -> None:
    verdict = await gate(code).at()
    assert isinstance(verdict, kind)
    assert told in verdict.reason
    if isinstance(verdict, Defer):
        assert verdict.until == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("code", "config", "told", "retryable"),
    [
        ("exit(2)", {}, "ended with exit code 2$", False),
        ("import sys; print('a\\nb', file=sys.stderr); sys.exit(3)", {}, "code 3: b$", False),
        ("import os; os.kill(os.getpid(), 9)", {}, "was ended by SIGKILL", False),
        ("import time; time.sleep(60)", {"timeout": "300ms"}, r"did not end within 0\.3 s", True),
        (SAYS({"verdict": "maybe"}), {}, r"gave no verdict: answer\.verdict", False),
        (SAYS({"verdict": "defer"}), {}, "without saying until when", False),
        ("pass", {"cwd": "/no/such/place"}, "cannot run .* in /no/such/place", False),
        ("pass", {"command": ["no-such-program"]}, "cannot run no-such-program", False),
        ("pass", {"env": {"X": {"secret": "env:GONE"}}}, "env:GONE: is not set", False),
    ],
)
async def test_what_breaks_it(
    code: str, config: dict[str, Any], told: str, retryable: bool
) -> None:
    with pytest.raises(GateError, match=told) as broken:
        await gate(code, **config).at()
    assert broken.value.retryable is retryable


async def test_it_reads_the_promotion_and_its_secrets(tmp_path: Path) -> None:
    file = tmp_path / "seen.json"
    code = (
        "import json, os, sys; seen = json.load(sys.stdin); seen['key'] = os.environ['KEY'];"
        f"json.dump(seen, open({str(file)!r}, 'w')); print(os.environ['KEY'])"
    )
    services = Services(secrets={"env:KEY": "s3cret-key"})
    verdict = await gate(code, services, env={"KEY": {"secret": "env:KEY"}}).at()
    seen = json.loads(file.read_text())
    assert seen["release"]["ref"] == "web@1.0.0"
    assert seen["environment"]["name"] == "production"
    assert seen["gate"] == {
        "name": "checked",
        "type": "command",
        "opened_at": "2026-03-02T12:00:00Z",
    }
    assert seen["key"] == "s3cret-key"
    assert verdict.reason == "***"
    assert "s3cret" not in verdict.model_dump_json()


async def test_the_run_is_on_record() -> None:
    verdict = await gate("print('fine')").at()
    assert verdict.inputs == {"stdout": digest_of_bytes(b"fine\n")}
    assert verdict.evidence["exit_code"] == 0
    assert verdict.evidence["truncated"] is False
    assert verdict.attributes["process.exit.code"] == 0


async def test_an_operator_can_forbid_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMOTE_COMMANDS", "deny")
    file = tmp_path / "ran"
    with pytest.raises(GateError, match="PROMOTE_COMMANDS") as broken:
        await gate(f"open({str(file)!r}, 'w')").at()
    assert not broken.value.retryable
    assert not file.exists()
