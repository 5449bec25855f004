from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import LogFormat, LogLevel, Settings, load_settings
from engine.embedded.dev import _environment
from engine.errors import InputError
from engine.home.discovery import DevAddress
from tests.harness.processes import environment, promote

NOWHERE = "127.0.0.1:1"


def test_a_variable_is_taken_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMOTE_LOG_FORMAT", "JSON")
    monkeypatch.setenv("PROMOTE_LOG_LEVEL", "Warning")
    settings = load_settings()
    assert (settings.log_format, settings.log_level) == (LogFormat.JSON, LogLevel.WARNING)


def test_nothing_said_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMOTE_LOG_FORMAT", "")
    monkeypatch.delenv("PROMOTE_LOG_LEVEL", raising=False)
    settings = load_settings()
    assert (settings.log_format, settings.log_level) == (None, LogLevel.INFO)


@pytest.mark.parametrize("variable", ["PROMOTE_LOG_FORMAT", "PROMOTE_LOG_LEVEL"])
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "loud")
    with pytest.raises(InputError) as caught:
        load_settings()
    assert caught.value.field == variable
    assert "'loud'" in str(caught.value)


@pytest.mark.parametrize("command", [("worker",), ("agent", "--id", "a"), ("dev",)])
@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        ("--log-format", "use console or json"),
        ("--log-level", "use debug or info or warning or error"),
    ],
)
def test_an_option_that_cannot_be_used_ends_with_2(
    tmp_path: Path, command: tuple[str, ...], option: str, remedy: str
) -> None:
    ended = promote(*command, option, "loud", env=environment(tmp_path, NOWHERE))
    assert ended.returncode == 2
    assert ended.stderr == f"promote: error: {option}: 'loud' cannot be used; {remedy}\n"


def test_an_option_wins_over_its_variable(tmp_path: Path) -> None:
    env = environment(tmp_path, NOWHERE, PROMOTE_LOG_LEVEL="error", TEMPORAL_NAMESPACE="n")
    quiet = promote("agent", "--id", "a", env=env)
    assert quiet.returncode == 5
    assert quiet.stderr.startswith("promote: error: the Temporal server at ")


@pytest.mark.parametrize(
    ("log_format", "expected"), [(None, "console"), (LogFormat.JSON, "json")], ids=str
)
def test_its_processes_log_for_people_unless_told_otherwise(
    tmp_path: Path, log_format: LogFormat | None, expected: str
) -> None:
    settings = Settings(home=tmp_path, log_format=log_format, log_level=LogLevel.DEBUG)
    address = DevAddress(address="127.0.0.1:1", ui="http://127.0.0.1:2", pid=1)
    variables = _environment(settings, tmp_path, address)
    assert variables["PROMOTE_LOG_FORMAT"] == expected
    assert variables["PROMOTE_LOG_LEVEL"] == "debug"
