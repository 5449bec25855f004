from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.protocol import DriverContext
from engine.errors import DigestMismatchError, DriverError
from engine.model.agent_task import RunningVersion

from .support import (
    SLEEPER,
    TARGET,
    Bytes,
    Rollout,
    active_release,
    digest_of,
    free_port,
    is_running,
    journal,
    on_disk,
    processes_below,
    pull_and_deploy,
    service_pid,
    sleeper_archive,
    tar_of,
    web_archive,
    web_config,
)


def running(rollout: Rollout) -> RunningVersion:
    return RunningVersion(release=rollout.release, component="web", digest=rollout.artifact.digest)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


async def test_a_release_serves_and_the_next_one_takes_over(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    port = free_port()
    old = Rollout(on_disk(tmp_path, "1.tar.gz", web_archive("1.0.0")), web_config(port))
    new = Rollout(
        on_disk(tmp_path, "2.tar.gz", web_archive("1.1.0")), web_config(port), "web@1.1.0"
    )
    first = await pull_and_deploy(driver, old, context)
    await driver.health_check(old.health_check, context)
    old_pid = service_pid(root)
    second = await pull_and_deploy(driver, new, context)
    await driver.health_check(new.health_check, context)

    assert httpx.get(f"http://127.0.0.1:{port}/").text == "web 1.1.0\n"
    assert not is_running(old_pid)
    assert (first.changed, first.before, first.after) == (True, None, running(old))
    assert (second.changed, second.before, second.after) == (True, running(old), running(new))
    assert active_release(root).name == new.artifact.digest.removeprefix("sha256:")
    entries = journal(root)
    assert [(entry["from"], entry["to"]) for entry in entries] == [
        (None, old.artifact.digest),
        (old.artifact.digest, new.artifact.digest),
    ]
    assert entries[1] == {
        "task_id": str(new.deploy.id),
        "promotion_id": str(new.promotion),
        "release": "web@1.1.0",
        "component": "web",
        "from": old.artifact.digest,
        "to": new.artifact.digest,
        "at": entries[1]["at"],
    }
    state = json.loads((root / TARGET / "state.json").read_text())
    assert RunningVersion.model_validate(state["running"]) == running(new)


async def test_each_task_done_again_changes_nothing(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    before = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    rollout = Rollout(on_disk(tmp_path, "2", sleeper_archive("2")), SLEEPER, "web@2.0.0")
    await pull_and_deploy(driver, before, context)
    first = await pull_and_deploy(driver, rollout, context)
    await driver.health_check(rollout.health_check, context)

    def picture() -> tuple[object, ...]:
        link = (root / TARGET / "current").lstat()
        return (
            link.st_ino,
            link.st_mtime_ns,
            active_release(root).stat().st_ino,
            journal(root),
            service_pid(root),
            (root / TARGET / "service.json").read_bytes(),
        )

    once = picture()
    pulled = await driver.pull(rollout.pull, context)
    deployed = await driver.deploy(rollout.deploy, context)
    checked = await driver.health_check(rollout.health_check, context)

    assert picture() == once
    assert [pulled.changed, deployed.changed, checked.changed] == [False, False, False]
    assert (deployed.before, deployed.after) == (first.before, first.after)
    assert deployed.before == running(before)


async def test_another_promotion_of_what_already_runs_restarts_nothing(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    artifact = on_disk(tmp_path, "1", sleeper_archive("1"))
    old, same = Rollout(artifact, SLEEPER), Rollout(artifact, SLEEPER, "web@1.0.1")
    await pull_and_deploy(driver, old, context)
    pid = service_pid(root)
    outcome = await pull_and_deploy(driver, same, context)
    assert not outcome.changed
    assert (outcome.before, outcome.after) == (running(old), running(same))
    assert service_pid(root) == pid
    assert len(journal(root)) == 1


async def test_what_was_not_pulled_is_not_deployed(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    with pytest.raises(DriverError, match="has to be pulled"):
        await driver.deploy(rollout.deploy, context)
    assert journal(root) == []


async def test_a_download_that_changed_on_the_host_is_not_deployed(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    await driver.pull(rollout.pull, context)
    [path] = (root / TARGET / "downloads").iterdir()
    path.write_bytes(sleeper_archive("evil"))
    with pytest.raises(DigestMismatchError):
        await driver.deploy(rollout.deploy, context)
    assert journal(root) == []
    assert not (root / TARGET / "current").is_symlink()


async def test_a_refused_archive_leaves_the_target_as_it_was(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    good = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    bad = Rollout(on_disk(tmp_path, "2", tar_of({"ok": b"", "../evil": b"x"})), SLEEPER)
    await pull_and_deploy(driver, good, context)
    pid = service_pid(root)
    with pytest.raises(DriverError, match="leads out of the release"):
        await pull_and_deploy(driver, bad, context)
    assert active_release(root).name == good.artifact.digest.removeprefix("sha256:")
    assert service_pid(root) == pid
    assert len(journal(root)) == 1
    assert not (root / TARGET / "releases" / "evil").exists()


async def test_old_releases_go_but_never_the_active_one_nor_the_one_before(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    artifacts = [on_disk(tmp_path, str(n), sleeper_archive(str(n))) for n in range(5)]

    def kept(*numbers: int) -> set[str]:
        return {artifacts[number].digest.removeprefix("sha256:") for number in numbers}

    releases = root / TARGET / "releases"
    for artifact in artifacts:
        await pull_and_deploy(driver, Rollout(artifact, {"keep_releases": 3}), context)
    assert names_in(releases) == kept(2, 3, 4)
    await pull_and_deploy(driver, Rollout(artifacts[2], {"keep_releases": 3}), context)
    assert names_in(releases) == kept(2, 3, 4)
    await pull_and_deploy(driver, Rollout(artifacts[0], {"keep_releases": 1}), context)
    assert names_in(releases) == kept(0, 2)
    assert names_in(root / TARGET / "downloads") == set()


async def test_work_on_one_target_is_done_one_after_the_other(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    rollouts = [
        Rollout(on_disk(tmp_path, str(n), sleeper_archive(str(n))), SLEEPER, f"web@{n}")
        for n in range(4)
    ]
    await asyncio.gather(*(driver.pull(rollout.pull, context) for rollout in rollouts))
    outcomes = await asyncio.gather(
        *(driver.deploy(rollout.deploy, context) for rollout in rollouts)
    )
    entries = journal(root)
    assert [entry["from"] for entry in entries] == [None, *(e["to"] for e in entries[:-1])]
    assert {entry["to"] for entry in entries} == {r.artifact.digest for r in rollouts}
    assert all(outcome.changed for outcome in outcomes)
    assert [process.pid for process in processes_below(root)] == [service_pid(root)]
    assert active_release(root).name == entries[-1]["to"].removeprefix("sha256:")


async def test_targets_of_one_agent_do_not_touch_each_other(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    artifact = on_disk(tmp_path, "1", sleeper_archive("1"))
    rollouts = [Rollout(artifact, SLEEPER, target=name) for name in ("web-1", "web-2")]
    await asyncio.gather(*(pull_and_deploy(driver, rollout, context) for rollout in rollouts))
    pids = {service_pid(root, "web-1"), service_pid(root, "web-2")}
    assert {process.pid for process in processes_below(root)} == pids
    assert len(pids) == 2


async def test_a_cancelled_deploy_finishes_what_it_began(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    await driver.pull(rollout.pull, context)
    deploying = asyncio.create_task(driver.deploy(rollout.deploy, context))
    while not any((root / TARGET / "releases").iterdir()):
        await asyncio.sleep(0)
    deploying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deploying
    assert [process.pid for process in processes_below(root)] == [service_pid(root)]
    assert len(journal(root)) == 1


async def test_a_damaged_state_is_named_and_not_overwritten(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    await pull_and_deploy(driver, rollout, context)
    state = root / TARGET / "state.json"
    state.write_text("{")
    with pytest.raises(DriverError, match=r"state\.json is damaged") as caught:
        await driver.deploy(rollout.deploy, context)
    assert not caught.value.retryable
    assert state.read_text() == "{"


async def test_a_configuration_that_cannot_be_used_names_the_field(
    driver: DirectoryDriver, context: DriverContext
) -> None:
    rollout = Rollout(Bytes("file:///x", digest_of(b"")), {"keep_releases": 0})
    with pytest.raises(DriverError, match=r"config\.keep_releases") as caught:
        await driver.pull(rollout.pull, context)
    assert not caught.value.retryable


async def test_a_root_that_cannot_be_written_is_an_error_of_the_driver(
    driver: DirectoryDriver, tmp_path: Path
) -> None:
    (tmp_path / "agent").write_text("a file")
    context = DriverContext(root=tmp_path / "agent", heartbeat=lambda: None)
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    with pytest.raises(DriverError, match="agent"):
        await driver.pull(rollout.pull, context)
