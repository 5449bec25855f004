from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.processes import environment, promote

NOWHERE = "127.0.0.1:1"

COMMANDS = (
    "dev", "demo", "worker", "agent", "apply", "release", "release register", "release list",
    "start", "freeze", "freeze stop-the-line", "freeze add", "freeze lift", "freeze list",
    "override", "approve", "callback", "reject", "withdraw", "cancel", "list", "status",
    "watch", "trace", "trace show", "evidence", "evidence export", "evidence verify",
    "evidence public-key", "evidence votes", "keys", "keys new", "keys show", "server",
    "server init", "db", "db upgrade", "db current", "db check", "version",
)  # fmt: skip

# Without pydantic: Typer itself brings it.
HEAVY = {"temporalio", "sqlalchemy", "alembic", "cryptography", "opentelemetry", "httpx", "grpc"}

HELP_PROBE = f"""\
import sys
from engine.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code
loaded = {{name.partition(".")[0] for name in sys.modules}}
print("LOADED", *sorted(loaded & {HEAVY!r}))
assert not loaded & {{"workflows", "activities"}}
assert not [name for name in sys.modules if name.startswith(("engine.model", "engine.store"))]
"""


@pytest.mark.parametrize("command", [(), ("start",), ("trace", "show")])
def test_help_loads_nothing_heavy(command: tuple[str, ...], tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HELP_PROBE, *command, "--help"],
        env=environment(tmp_path, NOWHERE),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "LOADED"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    ended = promote(*command.split(), "--help", env=environment(tmp_path, NOWHERE, COLUMNS="200"))
    assert ended.returncode == 0
    assert f"Usage: promote {command} " in ended.stdout
    assert len(ended.stdout.splitlines()) > 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("strat",),
        ("start", "--relaese", "web@1"),
        ("status",),
        ("list", "--limit", "0"),
        ("agent",),
        ("apply",),
        (),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = promote(*arguments, env=environment(tmp_path, NOWHERE))
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "Usage: promote" in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("start",), "--release: is missing; give it, or the whole request with --input"),
        (("start", "-r", "web@1"), "--environment: is missing"),
        (("start", "-r", "w@1", "-e", "x", "--timeout", "soon"), "--timeout: 'soon' is not"),
        (("start", "-r", "w@1", "-e", "x", "--timeout", "0s"), "--timeout: '0s' is no time"),
        (("start", "-r", "w@1", "-e", "x", "--id", "7"), "--id: '7' is no UUID"),
        (("start", "-r", "w@1", "--input", "f"), "--release: cannot be given beside --input"),
        (("list", "--status", "done"), "--status: 'done' is no status; use one of pending,"),
        (("agent", "--id", "No Such"), "--id: 'No Such' is no name"),
        (("callback", "x", "--gate", "g", "--token", "t"), "--allow: or --deny has to be given"),
    ],
)
def test_wrong_values_are_told_in_one_line(
    arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    ended = promote(*arguments, env=environment(tmp_path, NOWHERE))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"promote: error: {told}")
    assert ended.stderr.count("\n") == 1


def test_the_version_is_told(tmp_path: Path) -> None:
    env = environment(tmp_path, NOWHERE)
    spoken = promote("version", env=env).stdout
    assert spoken.startswith("promote ")
    assert promote("--version", env=env).stdout == spoken


@pytest.mark.parametrize(
    "command",
    [
        ("start", "-r", "web@1", "-e", "x", "--requested-by", "a"),
        ("list",),
        ("status", "x"),
        ("server", "init"),
    ],
)
def test_a_server_that_does_not_answer_ends_with_5(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ended = promote(*command, env=environment(tmp_path, NOWHERE))
    assert ended.returncode == 5
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"promote: error: the Temporal server at {NOWHERE} does not")
    assert ended.stderr.count("\n") == 1


def test_what_nobody_expected_is_one_line_and_a_file(tmp_path: Path) -> None:
    probe = (
        "from engine.cli.boundary import guarded\n"
        "def broken():\n    raise KeyError('secret of the inside')\n"
        "raise SystemExit(guarded(broken))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", probe],
        env=environment(tmp_path, NOWHERE),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (log,) = (tmp_path / "logs").iterdir()
    assert ended.returncode == 1
    assert ended.stderr == (
        f"promote: error: unexpected KeyError; please report it together with {log}\n"
    )
    assert "secret of the inside" in log.read_text()


def test_an_interrupt_ends_with_130(tmp_path: Path) -> None:
    probe = (
        "from engine.cli.boundary import guarded\n"
        "def interrupted():\n    raise KeyboardInterrupt\n"
        "raise SystemExit(guarded(interrupted))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", probe], env=dict(os.environ), timeout=60, check=False
    )
    assert ended.returncode == 130
