"""Real programs: what they are given, what is kept of them, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic import ValidationError

from engine.actions import command
from engine.actions.command import CommandRequest, CommandResult
from engine.errors import CallError, InputError
from tests.actions.conftest import SECRETS, resolve


async def run(*argv: str, stdin: bytes | None = None, **given: Any) -> CommandResult:
    request = CommandRequest.model_validate({"command": argv, **given})
    return await command.run(request, resolve_secret=resolve, stdin=stdin)


async def python(code: str, *, stdin: bytes | None = None, **given: Any) -> CommandResult:
    return await run(sys.executable, "-c", code, stdin=stdin, **given)


async def test_output_and_exit_code_come_back_apart() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    result = await python(code)
    assert (result.exit_code, result.stdout, result.stderr) == (3, b"out\n", b"err\n")
    assert not result.truncated
    assert result.seconds > 0


async def test_no_shell_sees_the_arguments() -> None:
    result = await run("printf", "%s|", "$HOME", "; id", "*", "a b")
    assert result.stdout == b"$HOME|; id|*|a b|"


async def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMOTE_DATABASE_URL", "postgresql://u:p@db/x")
    monkeypatch.setenv("LANG", "C.UTF-8")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    span = TracerProvider().get_tracer("test").start_span("work")
    token = context.attach(trace.set_span_in_context(span))
    try:
        result = await python(code, env={"TEAM": "web", "API": {"secret": "env:TOKEN"}})
    finally:
        context.detach(token)
    seen = json.loads(result.stdout)
    known = {"PATH", "HOME", "LANG", "TEAM", "API", "TRACEPARENT"}
    assert seen.keys() - {"LC_CTYPE"} == known & (seen.keys() | {"TEAM", "API", "TRACEPARENT"})
    assert seen["TEAM"] == "web"
    assert seen["TRACEPARENT"].split("-")[1] == f"{span.get_span_context().trace_id:032x}"


async def test_a_secret_is_given_and_its_echo_hidden() -> None:
    secret = SECRETS["env:TOKEN"]
    given: dict[str, Any] = {"env": {"API": {"secret": "env:TOKEN"}}}
    result = await python(
        "import os, sys; v = os.environ['API']; print(len(v), v); print(v, file=sys.stderr)",
        **given,
    )
    assert result.stdout == f"{len(secret)} ***\n".encode()
    assert result.stderr == b"***\n"
    # The bound goes through the secret: not even its beginning is left.
    cut = await python("import os; print('x' * 95 + os.environ['API'])", max_output=100, **given)
    assert cut.stdout == b"x" * 95 + b"***\n"
    assert cut.truncated


async def test_stdin_is_what_it_is_given_or_empty() -> None:
    code = "import sys; d = sys.stdin.buffer.read(); print(len(d), d[:3])"
    assert (await python(code)).stdout == b"0 b''\n"
    assert (await python(code, stdin=b"abc" * 200_000)).stdout == b"600000 b'abc'\n"


async def test_who_does_not_read_what_it_is_given_still_ends() -> None:
    assert (await run("true", stdin=b"x" * 2_000_000)).exit_code == 0


async def test_output_is_bounded_while_it_is_read() -> None:
    code = "import sys; [sys.stdout.write('x' * 65536) for _ in range(1600)]; sys.exit(0)"
    before = psutil.Process().memory_info().rss
    result = await python(code, max_output=1000)
    grown = psutil.Process().memory_info().rss - before
    assert result.stdout == b"x" * 1000
    assert result.truncated
    assert result.exit_code == 0
    assert grown < 50 * 2**20


async def test_the_directory_is_the_given_one(tmp_path: Path) -> None:
    assert (await run("pwd", cwd=str(tmp_path))).stdout.decode().strip() == str(tmp_path.resolve())


async def _gone(pids: list[int]) -> bool:
    """Whether all of them end; a killed process takes a moment for it."""
    deadline = time.monotonic() + 30
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return not any(_lives(pid) for pid in pids)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _pids(file: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == count:
            return [int(line) for line in lines]
        await asyncio.sleep(0.02)
    raise AssertionError(f"{file} never named {count} processes")


_STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
time.sleep(0.3)
with open(sys.argv[1], "w") as file:
    file.write(f"{os.getpid()}\\n{child.pid}\\n")
time.sleep(600)
"""


async def test_at_its_time_the_whole_group_is_killed_even_if_it_ignores_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "GRACE_SECONDS", 0.2)
    file = tmp_path / "pids"
    with pytest.raises(CallError, match="did not end within 3 s") as failed:
        await run(sys.executable, "-c", _STUBBORN, str(file), timeout="3s")
    assert failed.value.retryable
    assert await _gone(await _pids(file, 2))


async def test_cancelled_it_is_asked_to_end_first(tmp_path: Path) -> None:
    file, word = tmp_path / "pids", tmp_path / "word"
    code = (
        "import os, signal, sys, time\n"
        "def end(*_):\n    open(sys.argv[2], 'w').write('asked'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()}\\n')\n"
        "time.sleep(600)\n"
    )
    task = asyncio.create_task(run(sys.executable, "-c", code, str(file), str(word)))
    pids = await _pids(file, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert word.read_text() == "asked"
    assert await _gone(pids)


async def test_what_it_leaves_in_the_background_ends_with_it(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "open(sys.argv[1], 'w').write(f'{child.pid}\\n'); print('done')\n"
    )
    started = time.monotonic()
    result = await run(sys.executable, "-c", code, str(file))
    assert result.stdout == b"done\n"
    assert time.monotonic() - started < 30
    assert await _gone(await _pids(file, 1))


async def test_it_dies_with_the_worker(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent has died")
    file = tmp_path / "pids"
    inner = (
        f"import os, time; open({str(file)!r}, 'w').write(f'{{os.getpid()}}\\n'); time.sleep(600)"
    )
    outer = (
        "import asyncio, sys\n"
        "from engine.actions.command import CommandRequest, run\n"
        "from engine.actions.secrets import resolve\n"
        f"request = CommandRequest(command=(sys.executable, '-c', {inner!r}))\n"
        "asyncio.run(run(request, resolve_secret=resolve))\n"
    )
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", outer)
    pids = await _pids(file, 1)
    worker.kill()
    await worker.wait()
    assert await _gone(pids)


async def test_processor_time_and_memory_are_limited() -> None:
    burnt = await python("while True: pass", cpu_seconds=1, timeout="60s")
    assert burnt.exit_code < 0
    assert "SIGXCPU" in command.ending(burnt.exit_code)
    greedy = await python("x = bytearray(2**31); print(len(x))", memory_mib=512)
    assert greedy.exit_code == 1
    assert b"MemoryError" in greedy.stderr
    assert (await python("print(1)", cpu_seconds=30, memory_mib=2048)).stdout == b"1\n"


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", "/etc/passwd"])
async def test_what_cannot_be_run_is_told_and_final(name: str) -> None:
    with pytest.raises(CallError, match=f"cannot run {name}: ") as failed:
        await run(name)
    assert not failed.value.retryable


async def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=f"in {tmp_path}/gone: No such file"):
        await run("true", cwd=f"{tmp_path}/gone")


async def test_a_host_without_descriptors_left_may_have_some_another_time() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        with pytest.raises(CallError, match="Too many open files") as failed:
            await run("true")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert failed.value.retryable


async def test_a_program_that_ends_with_the_launchers_code_is_not_mistaken_for_it() -> None:
    assert (await python("raise SystemExit(126)")).exit_code == 126


@pytest.mark.parametrize("reference", ["env:NUL", "env:NOT_SET"])
async def test_a_secret_that_cannot_be_given_is_named_not_told(reference: str) -> None:
    with pytest.raises(InputError) as refused:
        await run("true", env={"X": {"secret": reference}})
    assert refused.value.field == reference


@pytest.mark.parametrize(
    "given",
    [
        {"command": []},
        {"command": "ls -l"},
        {"command": ["a\0b"]},
        {"env": {"1X": "a"}},
        {"env": {"TRACEPARENT": "a"}},
        {"cwd": "relative"},
        {"timeout": "0s"},
        {"timeout": "2h"},
        {"cpu_seconds": 0},
        {"memory_mib": "10"},
        {"max_output": 0},
        {"shell": True},
    ],
)
def test_a_wrong_request_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandRequest.model_validate({"command": ["true"], **given})


async def test_it_says_that_it_is_at_work() -> None:
    beats: list[int] = []
    await command.run(
        CommandRequest(command=("true",)),
        resolve_secret=resolve,
        heartbeat=lambda: beats.append(os.getpid()),
    )
    assert beats


async def test_an_operator_can_forbid_all_but_what_is_the_operators_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROMOTE_COMMANDS", "deny")
    with pytest.raises(CallError, match="PROMOTE_COMMANDS is deny") as refused:
        await run("true")
    assert not refused.value.retryable
    request = CommandRequest(command=("true",))
    own = await command.run(request, resolve_secret=resolve, by_operator=True)
    assert own.exit_code == 0
