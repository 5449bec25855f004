"""Every malformed file gets one message: where, what, and what to do; and costs little."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from engine.cli.boundary import guarded
from engine.cli.main import app
from engine.documents.lint import lint
from engine.documents.source import MAX_TOLD
from engine.errors import ExitCode
from tests.documents.files import written
from tests.documents.malformed import ENVIRONMENT, HEAVY, MALFORMED, TEMPLATE, Malformed
from tests.harness.processes import PROMOTE, environment

MEMORY = 200 * 1024 * 1024
PROCESSOR_SECONDS = 30
"""Far more than any of them needs; whoever would compute without end is stopped by it."""

LIMITED = f"""
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_DATA, ({MEMORY}, {MEMORY}))
resource.setrlimit(resource.RLIMIT_CPU, ({PROCESSOR_SECONDS}, {PROCESSOR_SECONDS}))
ended = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(ended.returncode)
"""
"""Runs a command under limits. A child of the tests' own process would start with its memory."""


def test_there_are_at_least_sixty_and_no_two_are_the_same() -> None:
    assert len({case.name for case in MALFORMED}) == len(MALFORMED) >= 60
    assert len({case.content for case in MALFORMED}) == len(MALFORMED)


@pytest.mark.parametrize("content", [TEMPLATE, ENVIRONMENT], ids=["template", "environment"])
def test_what_they_are_made_of_is_right(tmp_path: Path, content: str) -> None:
    ((_, error),) = lint([written(tmp_path, content)])
    assert error is None


@pytest.mark.parametrize("case", MALFORMED, ids=[case.name for case in MALFORMED])
def test_a_malformed_file_gets_one_message_with_line_column_and_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: Malformed
) -> None:
    path = written(tmp_path, case.content)
    ((_, error),) = lint([path])
    assert error is not None
    assert f"{error.field}: ".startswith(f"{path}:{case.place}: ")
    assert case.words in str(error)
    assert error.remedy

    code = guarded(partial(app, ["template", "lint", str(path)], prog_name="promote"))
    assert code == ExitCode.USAGE
    assert capsys.readouterr() == ("", f"promote: error: {error}\n")


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_a_file_made_to_cost_much_costs_little(tmp_path: Path, name: str) -> None:
    (case,) = (case for case in MALFORMED if case.name == name)
    path = written(tmp_path, case.content)
    told = refused_under_limits(tmp_path, path)
    assert told.startswith(f"promote: error: {path}:{case.place}: ")
    assert case.words in told
    assert told.count("\n") == 1


def test_of_very_many_mistakes_the_first_are_told_and_the_others_counted(tmp_path: Path) -> None:
    targets = "".join(f"  - {{name: t{at}, agnt: x}}\n" for at in range(20_000))
    path = written(tmp_path, f"environments:\n- name: a\n  targets:\n{targets}")
    head, *lines = refused_under_limits(tmp_path, path).splitlines()
    assert head == f"promote: error: {path}: 20000 problems"
    assert [line.split(": ")[0].strip() for line in lines[:-1]] == [
        f"{path}:{4 + at}:{len(f'  - {{name: t{at}, a')}" for at in range(MAX_TOLD)
    ]
    assert lines[-1].strip() == f"and {20_000 - MAX_TOLD} more; correct these first"


def refused_under_limits(home: Path, path: Path) -> str:
    """What `promote apply` says of a file, within limits of memory and processor time."""
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, *PROMOTE, "apply", "-f", str(path)],
        env=environment(home, "127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == ExitCode.USAGE, ended.stderr
    # All that is on standard output is the memory that the command had, in KiB on Linux.
    assert int(ended.stdout) * 1024 < MEMORY
    return ended.stderr
