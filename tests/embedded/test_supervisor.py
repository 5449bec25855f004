from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from engine.embedded.supervisor import RestartPolicy, supervision
from engine.errors import ProcessTreeError
from tests.embedded.standins import (
    FAILING,
    OBEDIENT,
    SHORT_LIVED,
    SILENT,
    STUBBORN,
    is_alive,
    noted,
    spec,
    started,
    until,
)

QUICK = RestartPolicy(attempts=3, first_delay=0.05, longest_delay=0.1, stable_after=60.0)


async def test_children_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    async with supervision(tmp_path, lambda line: None) as supervisor:
        for name in ("a", "b", "c"):
            await supervisor.start(spec(OBEDIENT, notes, name))

    words = [" ".join(line.split()[:2]) for line in noted(notes)]
    assert words == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]


async def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    notes, reported = tmp_path / "notes", list[str]()
    async with supervision(tmp_path, reported.append, policy=QUICK) as supervisor:
        await supervisor.start(spec(OBEDIENT, notes, "a"))
        await supervisor.start(spec(OBEDIENT, notes, "b"))
        (first,) = started(notes, "a")
        os.kill(first, signal.SIGKILL)
        await until(lambda: "a is ready again" in reported, "the second start")
        assert [is_alive(pid) for pid in started(notes, "a")] == [False, True]

    assert reported == ["a ended unexpectedly (killed by SIGKILL); again in 0.05 s",
                        "a is ready again"]  # fmt: skip
    assert len(started(notes, "b")) == 1
    assert not any(is_alive(pid) for name in ("a", "b") for pid in started(notes, name))


async def test_a_child_that_keeps_dying_ends_the_tree(tmp_path: Path) -> None:
    notes, reported = tmp_path / "notes", list[str]()

    async def run() -> None:
        async with supervision(tmp_path, reported.append, policy=QUICK) as supervisor:
            await supervisor.start(spec(OBEDIENT, notes, "a"))
            await supervisor.start(spec(SHORT_LIVED, notes, "b"))
            await asyncio.Event().wait()

    with pytest.raises(ProcessTreeError, match="b ended 4 times in a row, at last by exit code 7"):
        await run()

    assert len(started(notes, "b")) == 4
    assert noted(notes)[-1] == "stop a"


async def test_a_child_that_was_up_long_enough_may_die_again_and_again(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    policy = RestartPolicy(attempts=1, first_delay=0.05, longest_delay=0.05, stable_after=0.0)
    async with supervision(tmp_path, lambda line: None, policy=policy) as supervisor:
        await supervisor.start(spec(SHORT_LIVED, notes, "a"))
        await until(lambda: len(started(notes, "a")) > 4, "the fifth start")


def test_the_delay_grows_up_to_its_bound() -> None:
    policy = RestartPolicy(first_delay=0.5, longest_delay=3.0)

    assert [policy.delay(deaths) for deaths in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]


async def test_a_child_that_does_not_start_is_removed_and_the_others_stop(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async def run() -> None:
        async with supervision(tmp_path, lambda line: None) as supervisor:
            await supervisor.start(spec(OBEDIENT, notes, "a"))
            await supervisor.start(spec(FAILING, notes, "b"))

    with pytest.raises(ProcessTreeError, match="b ended before it was ready"):
        await run()

    assert noted(notes)[-1] == "stop a"


async def test_cancelled_while_a_child_starts_leaves_nothing(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async def run() -> None:
        async with supervision(tmp_path, lambda line: None) as supervisor:
            await supervisor.start(spec(OBEDIENT, notes, "a"))
            await supervisor.start(spec(SILENT, notes, "b"))

    running = asyncio.create_task(run())
    await until(lambda: bool(started(notes, "b")), "the second child")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not any(is_alive(pid) for name in ("a", "b") for pid in started(notes, name))


async def test_cancelled_while_stopping_kills_what_remains(tmp_path: Path) -> None:
    notes, stopping = tmp_path / "notes", asyncio.Event()

    async def run() -> None:
        async with supervision(tmp_path, lambda line: None) as supervisor:
            await supervisor.start(spec(STUBBORN, notes, "a", stop_timeout=600))
            await supervisor.start(spec(STUBBORN, notes, "b", stop_timeout=600))
            stopping.set()

    running = asyncio.create_task(run())
    await stopping.wait()
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    pids = [*started(notes, "a"), *started(notes, "b")]
    await until(lambda: not any(map(is_alive, pids)), "the end of all")


async def test_an_error_of_the_block_passes_and_stops_the_children(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async def run() -> None:
        async with supervision(tmp_path, lambda line: None) as supervisor:
            await supervisor.start(spec(OBEDIENT, notes, "a"))
            raise KeyError

    with pytest.raises(KeyError):
        await run()

    assert noted(notes)[-1] == "stop a"


async def test_output_is_echoed_with_the_name_in_front(tmp_path: Path) -> None:
    reported = list[str]()
    async with supervision(tmp_path, reported.append, echo=True) as supervisor:
        await supervisor.start(spec(OBEDIENT, tmp_path / "notes", "a"))

    assert reported == ["a | promote: ready"]
