"""The agent is killed with SIGKILL in the middle of its work, and the work is done again."""

from __future__ import annotations

import asyncio
import random
import time
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path

import psutil
import pytest

from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.directory.durable import append_line_once
from engine.drivers.protocol import DriverContext
from engine.model.base import Json

from . import crashing
from .support import (
    SLEEPER,
    TARGET,
    ArtifactServer,
    Rollout,
    files_in,
    free_port,
    is_running,
    journal,
    on_disk,
    processes_below,
    send,
    service_pid,
    sleeper_archive,
    tar_of,
    web_archive,
    web_config,
)


async def assert_runs_only(rollout: Rollout, root: Path) -> None:
    digest = rollout.artifact.digest
    release = root / TARGET / "releases" / digest.removeprefix("sha256:")
    assert (root / TARGET / "current").resolve() == release
    for name, content in files_in(rollout.artifact.content).items():
        assert (release / name).read_bytes() == content
    entries = journal(root)
    assert [entry["from"] for entry in entries] == [None, *(e["to"] for e in entries[:-1])]
    assert entries[-1]["to"] == digest
    assert [entry["task_id"] for entry in entries].count(str(rollout.deploy.id)) == 1
    # A launcher whose agent has died needs a moment to notice.
    deadline = time.monotonic() + 60
    while [process.pid for process in processes_below(root)] != [service_pid(root)]:
        assert time.monotonic() < deadline, processes_below(root)
        await asyncio.sleep(0.01)
    assert Path(psutil.Process(service_pid(root)).cwd()) == release


async def test_a_deploy_killed_at_any_step_ends_right_when_done_again(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    previous = Rollout(on_disk(tmp_path, "0", sleeper_archive("0")), SLEEPER, "web@0")
    crashing.run_until_step([previous.pull, previous.deploy], root, 0)
    for step in count(1):
        release = f"web@{step}"
        rollout = Rollout(on_disk(tmp_path, str(step), sleeper_archive(release)), SLEEPER, release)
        await driver.pull(rollout.pull, context)
        died = await asyncio.to_thread(crashing.run_until_step, [rollout.deploy], root, step)
        outcome = await driver.deploy(rollout.deploy, context)

        await assert_runs_only(rollout, root)
        assert len(journal(root)) == step + 1
        assert outcome.before is not None
        assert outcome.before.release == previous.release
        assert not list((root / TARGET).rglob(".*.tmp"))
        pid = service_pid(root)
        assert not (await driver.deploy(rollout.deploy, context)).changed
        assert service_pid(root) == pid
        previous = rollout
        if not died:
            break
    # Fewer steps would mean that the child was not killed where something happens.
    assert step > 40


async def test_another_release_may_follow_a_deploy_killed_at_any_step(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    for step in count(1, 3):
        killed, following = (
            Rollout(
                on_disk(tmp_path, f"{step}{part}", sleeper_archive(f"{step}{part}")),
                SLEEPER,
                f"web@{step}{part}",
            )
            for part in ("a", "b")
        )
        await driver.pull(killed.pull, context)
        await driver.pull(following.pull, context)
        died = await asyncio.to_thread(crashing.run_until_step, [killed.deploy], root, step)
        await driver.deploy(following.deploy, context)
        await assert_runs_only(following, root)
        switches = [entry["task_id"] for entry in journal(root)]
        assert switches.count(str(killed.deploy.id)) <= 1
        if not died:
            assert switches.count(str(killed.deploy.id)) == 1
            break


async def test_a_release_whose_removal_was_cut_off_comes_back_whole(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    config: dict[str, Json] = {**SLEEPER, "keep_releases": 1}
    content = tar_of({f"file-{number}": b"x" for number in range(5)})
    removed = Rollout(on_disk(tmp_path, "removed", content), config)
    for step in count(1, 2):
        others = [
            Rollout(on_disk(tmp_path, f"{step}{part}", sleeper_archive(f"{step}{part}")), config)
            for part in ("a", "b")
        ]
        for rollout in (removed, others[0]):
            await driver.pull(rollout.pull, context)
            await driver.deploy(rollout.deploy, context)
        await driver.pull(others[1].pull, context)
        died = await asyncio.to_thread(crashing.run_until_step, [others[1].deploy], root, step)
        again = Rollout(removed.artifact, config)
        await driver.pull(again.pull, context)
        await driver.deploy(again.deploy, context)
        await assert_runs_only(again, root)
        if not died:
            break
        removed = again


@pytest.mark.parametrize("seed", range(6))
async def test_a_rollout_killed_again_and_again_at_any_time_comes_through(
    root: Path, tmp_path: Path, server: ArtifactServer, seed: int
) -> None:
    chance = random.Random(seed)
    config = web_config(free_port())
    old = Rollout(server.serve("/old", web_archive("1.0.0")), config)
    new = Rollout(server.serve("/new", web_archive("1.1.0")), config, "web@1.1.0")
    await asyncio.to_thread(crashing.run, [old.pull, old.deploy], root)

    kills = 0
    for patience in count(1):
        child = crashing.start([new.pull, new.deploy, new.health_check], root)
        await asyncio.to_thread(child.join, chance.uniform(0, 0.04 * patience))
        child.kill()
        await asyncio.to_thread(child.join, 60)
        if child.exitcode == 0:
            break
        assert child.exitcode == -9
        kills += 1
    assert kills > 0
    await assert_runs_only(new, root)
    assert len(journal(root)) == 2


async def test_a_transfer_killed_in_the_middle_starts_over(
    driver: DirectoryDriver,
    context: DriverContext,
    root: Path,
    server: ArtifactServer,
) -> None:
    content = sleeper_archive("1")
    rollout = Rollout(server.serve("/web", content), SLEEPER)
    hanging = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, content[:10], {"Content-Length": str(len(content))})
        loop.call_soon_threadsafe(hanging.set)
        while is_running(child.pid or -1):
            time.sleep(0.01)

    served = server.answers["/web"]
    server.answers["/web"] = hang
    child = crashing.start([rollout.pull], root)
    await hanging.wait()
    partial = root / TARGET / "downloads" / f"{rollout.artifact.digest[7:]}.part"
    while not partial.exists():
        await asyncio.sleep(0.01)
    child.kill()
    await asyncio.to_thread(child.join, 60)
    assert partial.exists()

    server.answers["/web"] = served
    assert (await driver.pull(rollout.pull, context)).changed
    assert not partial.exists()
    await driver.deploy(rollout.deploy, context)
    await assert_runs_only(rollout, root)


async def test_the_service_outlives_the_agent(root: Path, tmp_path: Path) -> None:
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    child = crashing.start([rollout.pull, rollout.deploy], root)
    await asyncio.to_thread(child.join, 60)
    assert child.exitcode == 0
    await assert_runs_only(rollout, root)


def test_a_line_that_was_cut_off_is_replaced_by_the_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "switches.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": ')
    for _ in range(2):
        append_line_once(path, b'{"n": 2}')
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n'
