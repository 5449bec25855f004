from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from engine.drivers.directory.process import has_become, identify, is_alive, prepare, stop

from .support import processes_below

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    left = processes_below(tmp_path)
    for process in left:
        process.kill()
    assert left == []


def await_text(path: Path, text: str) -> None:
    while text not in path.read_text():
        time.sleep(0.01)


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def test_a_process_runs_apart_from_its_starter(place: Path) -> None:
    log = place / "log"
    with prepare(["sleep", "1000"], cwd=place, environment=environment(), log=log) as launch:
        launch.go()
    process = psutil.Process(launch.identity.pid)
    assert process.cmdline() == ["sleep", "1000"]
    assert os.getsid(process.pid) == process.pid
    assert process.ppid() != os.getpid()
    assert is_alive(launch.identity)
    assert stop(launch.identity)
    assert not is_alive(launch.identity)
    assert not stop(launch.identity)


def test_nothing_runs_when_the_word_is_never_given(place: Path) -> None:
    ran = place / "ran"
    with prepare(
        ["touch", str(ran)], cwd=place, environment=environment(), log=place / "log"
    ) as launch:
        assert is_alive(launch.identity)
    while is_alive(launch.identity):
        time.sleep(0.01)
    assert not ran.exists()


@pytest.mark.parametrize("word", [True, False])
def test_a_process_is_what_it_was_meant_to_be_only_after_the_word(place: Path, word: bool) -> None:
    with ExitStack() as starter, ThreadPoolExecutor() as threads:
        launch = starter.enter_context(
            prepare(["sleep", "1000"], cwd=place, environment=environment(), log=place / "log")
        )
        answer = threads.submit(has_become, launch.identity)
        time.sleep(0.2)
        assert not answer.done()
        if word:
            launch.go()
        # What the death of the starter does as well.
        starter.close()
        assert answer.result() is word
    assert stop(launch.identity) is word


def test_a_process_that_ignores_sigterm_is_killed_with_what_it_starts(place: Path) -> None:
    log = place / "log"
    with prepare(["sh", "-c", STUBBORN], cwd=place, environment=environment(), log=log) as launch:
        launch.go()
    await_text(log, "ready")
    assert stop(launch.identity, grace=0.2)
    assert not is_alive(launch.identity)


def test_the_children_of_a_process_end_with_it(place: Path) -> None:
    log = place / "log"
    script = "sleep 1000 & echo ready; wait"
    with prepare(["sh", "-c", script], cwd=place, environment=environment(), log=log) as launch:
        launch.go()
    await_text(log, "ready")
    [child] = psutil.Process(launch.identity.pid).children()
    assert stop(launch.identity)
    assert identify(child.pid) is None


@pytest.mark.parametrize(
    "other",
    [{"uptime_at_start": 1.0, "create_time": 1.0}, {"boot_id": "another boot"}],
    ids=["another start", "another boot"],
)
def test_a_recycled_process_id_is_left_alone(place: Path, other: dict[str, object]) -> None:
    with subprocess.Popen(["sleep", "1000"], cwd=place) as bystander:
        identity = identify(bystander.pid)
        assert identity is not None
        assert is_alive(identity)
        before = identity.model_copy(update=other)
        assert not is_alive(before)
        assert not stop(before)
        assert bystander.poll() is None
        bystander.kill()


def test_setting_the_clock_does_not_hide_a_process(place: Path) -> None:
    identity = identify(os.getpid())
    assert identity is not None
    if not identity.boot_id:
        pytest.skip("only where the system tells its boot apart")
    assert is_alive(identity.model_copy(update={"create_time": identity.create_time - 3600}))


def test_a_zombie_does_not_count_as_alive(place: Path) -> None:
    with subprocess.Popen(["sleep", "1000"], cwd=place) as child:
        identity = identify(child.pid)
        assert identity is not None
        os.kill(child.pid, 9)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
        assert not is_alive(identity)
