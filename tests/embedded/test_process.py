from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.embedded import process
from engine.embedded.process import ChildProcess, ChildSpec, ending
from engine.errors import ProcessTreeError
from tests.embedded.standins import (
    FAILING,
    OBEDIENT,
    SILENT,
    STUBBORN,
    WITH_HELPER,
    is_alive,
    noted,
    spec,
    started,
    until,
)


def printing(code: str) -> ChildSpec:
    return ChildSpec("printer", (sys.executable, "-c", code), dict(os.environ), ready_line="done")


async def test_a_child_is_ready_when_it_says_so_and_ends_when_asked(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    child = await ChildProcess.start(spec(OBEDIENT, notes, "a"), tmp_path / "a.log")

    await child.wait_until_ready()
    assert started(notes, "a") == [child.pid]
    await child.stop()

    assert noted(notes)[-1] == "stop a"
    assert await child.wait() == 0
    assert not is_alive(child.pid)


async def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    stubborn = spec(STUBBORN, tmp_path / "notes", "a", stop_timeout=0.5)
    child = await ChildProcess.start(stubborn, tmp_path / "a.log")
    await child.wait_until_ready()

    await child.stop()

    assert ending(await child.wait()) == "killed by SIGKILL"


async def test_what_a_child_started_in_its_group_ends_with_it(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    child = await ChildProcess.start(spec(WITH_HELPER, notes, "a"), tmp_path / "a.log")
    await child.wait_until_ready()
    helper = int(noted(notes)[0].removeprefix("helper "))
    assert is_alive(helper)

    await child.stop()

    await until(lambda: not is_alive(helper), "the helper's end")


async def test_a_child_that_ends_before_it_is_ready_is_quoted(tmp_path: Path) -> None:
    child = await ChildProcess.start(spec(FAILING, tmp_path / "notes", "worker"), tmp_path / "log")

    with pytest.raises(ProcessTreeError) as raised:
        await child.wait_until_ready()
    await child.stop()

    assert str(raised.value) == (
        "worker ended before it was ready (exit code 2); its last output:\n"
        "  reading the settings\n  PROMOTE_HOME: no such directory"
    )


async def test_a_child_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    silent = spec(SILENT, tmp_path / "notes", "worker", ready_timeout=0.5)
    child = await ChildProcess.start(silent, tmp_path / "log")

    with pytest.raises(ProcessTreeError, match=r"not ready after 0\.5 seconds; it printed nothing"):
        await child.wait_until_ready()
    await child.stop()


async def test_a_program_that_is_missing_is_told(tmp_path: Path) -> None:
    missing = ChildSpec("worker", ("/nonexistent/program",), {}, ready_line="x")
    child = await ChildProcess.start(missing, tmp_path / "log")

    with pytest.raises(ProcessTreeError, match="cannot run /nonexistent/program: No such file"):
        await child.wait_until_ready()
    await child.stop()


async def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("not a directory")

    with pytest.raises(ProcessTreeError, match="printer cannot be started"):
        await ChildProcess.start(printing("pass"), tmp_path / "logs" / "printer.log")


async def test_output_is_logged_and_echoed_by_line(tmp_path: Path) -> None:
    log, echoed = tmp_path / "logs" / "printer.log", list[str]()
    code = "import sys; sys.stdout.write('one\\ntwo'); sys.stdout.flush(); print('\\ndone\\nlast')"
    child = await ChildProcess.start(printing(code), log, echoed.append)

    await child.wait()
    await child.stop()

    assert log.read_text() == "one\ntwo\ndone\nlast\n"
    assert echoed == ["one", "two", "done", "last"]


async def test_endless_lines_and_broken_text_do_no_harm(tmp_path: Path) -> None:
    echoed = list[str]()
    code = (
        "import sys; out = sys.stdout.buffer; out.write(b'x' * 3_000_000);"
        "out.write(b'\\n\\xff\\n'); out.write(b'done\\n')"
    )
    child = await ChildProcess.start(printing(code), tmp_path / "log", echoed.append)

    await child.wait()
    await child.stop()

    assert (tmp_path / "log").stat().st_size == 3_000_008
    assert "".join(echoed[:-2]) == "x" * 3_000_000
    assert echoed[-2:] == ["�", "done"]


async def test_a_large_log_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 10)
    log = tmp_path / "printer.log"
    log.write_text("a long story")

    child = await ChildProcess.start(printing("print('new')"), log)
    await child.wait()
    await child.stop()

    assert log.read_text() == "new\n"
    assert (tmp_path / "printer.log.1").read_text() == "a long story"


async def test_a_probe_is_waited_for_after_the_line(tmp_path: Path) -> None:
    order = list[str]()

    async def probe() -> None:
        order.append("probed")

    asked = replace(spec(OBEDIENT, tmp_path / "notes", "a"), probe=probe)
    child = await ChildProcess.start(asked, tmp_path / "log", lambda line: order.append(line))

    await child.wait_until_ready()
    await child.stop()

    assert order == ["promote: ready", "probed"]
