"""What is restarted, when, and with what around it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.protocol import DriverContext
from engine.errors import DriverError
from engine.model.base import Json

from .support import (
    SLEEPER,
    TARGET,
    Rollout,
    active_release,
    is_running,
    journal,
    on_disk,
    processes_below,
    pull_and_deploy,
    service_pid,
    sleeper_archive,
)


async def test_a_service_that_died_is_started_without_a_switch(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), SLEEPER)
    await pull_and_deploy(driver, rollout, context)
    dead = psutil.Process(service_pid(root))
    dead.kill()
    while is_running(dead.pid):
        await asyncio.sleep(0.01)
    outcome = await driver.deploy(rollout.deploy, context)
    assert outcome.changed
    assert is_running(service_pid(root))
    assert len(journal(root)) == 1


async def test_a_changed_configuration_restarts_the_service(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    artifact = on_disk(tmp_path, "1", sleeper_archive("1"))
    await pull_and_deploy(driver, Rollout(artifact, SLEEPER), context)
    old = service_pid(root)
    changed: dict[str, Json] = {"service": {"command": ["sleep", "2000"]}}
    assert (await pull_and_deploy(driver, Rollout(artifact, changed), context)).changed
    assert psutil.Process(service_pid(root)).cmdline() == ["sleep", "2000"]
    assert not is_running(old)


async def test_a_service_that_is_no_longer_configured_is_stopped(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    artifact = on_disk(tmp_path, "1", sleeper_archive("1"))
    await pull_and_deploy(driver, Rollout(artifact, SLEEPER), context)
    ran = tmp_path / "ran"
    config: dict[str, Json] = {"restart_command": ["touch", str(ran)]}
    assert (await pull_and_deploy(driver, Rollout(artifact, config), context)).changed
    assert processes_below(root) == []
    assert ran.exists()


async def test_the_service_learns_what_it_is_and_none_of_the_agents_secrets(
    driver: DirectoryDriver,
    context: DriverContext,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROMOTE_DATABASE_URL", "postgresql://agent:geheim@db/promote")
    config: dict[str, Json] = {
        "service": {"command": ["sleep", "1000"], "environment": {"COLOUR": "blue"}}
    }
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), config)
    await pull_and_deploy(driver, rollout, context)
    process = psutil.Process(service_pid(root))
    environment = process.environ()
    assert {
        name: value
        for name, value in environment.items()
        if name.startswith("PROMOTE_") or name == "COLOUR"
    } == {
        "COLOUR": "blue",
        "PROMOTE_RELEASE": "web@1.0.0",
        "PROMOTE_COMPONENT": "web",
        "PROMOTE_DIGEST": rollout.artifact.digest,
        "PROMOTE_TARGET": TARGET,
    }
    assert environment["PATH"] == os.environ["PATH"]
    assert Path(process.cwd()) == active_release(root)


async def test_a_plain_file_is_deployed_as_a_program(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    program = b"#!/bin/sh\nexec sleep 1000\n"
    config: dict[str, Json] = {"service": {"command": ["./web-server"]}}
    rollout = Rollout(on_disk(tmp_path, "web-server", program), config)
    await pull_and_deploy(driver, rollout, context)
    assert (active_release(root) / "web-server").read_bytes() == program
    assert [process.pid for process in processes_below(root)] == [service_pid(root)]


async def test_the_restart_command_runs_once_for_each_switch(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    log = tmp_path / "restarts"
    script = 'echo "$PROMOTE_RELEASE $PROMOTE_TARGET $(cat VERSION)" >> "$0"'
    config: dict[str, Json] = {"restart_command": ["sh", "-c", script, str(log)]}
    for version in ("1", "2"):
        rollout = Rollout(
            on_disk(tmp_path, version, sleeper_archive(version)), config, f"web@{version}"
        )
        first = await pull_and_deploy(driver, rollout, context)
        second = await driver.deploy(rollout.deploy, context)
        assert (first.changed, second.changed) == (True, False)
    assert log.read_text().splitlines() == [f"web@1 {TARGET} 1", f"web@2 {TARGET} 2"]


async def test_a_restart_command_that_fails_is_run_again_by_the_next_try(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    config: dict[str, Json] = {
        "restart_command": ["sh", "-c", 'echo no luck; test -e "$0"', str(ready)]
    }
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), config)
    with pytest.raises(DriverError, match=r"ended with code 1:\nno luck") as caught:
        await pull_and_deploy(driver, rollout, context)
    assert caught.value.retryable
    ready.touch()
    outcome = await driver.deploy(rollout.deploy, context)
    assert outcome.changed
    assert outcome.before is None
    assert len(journal(root)) == 1


@pytest.mark.parametrize(
    "config",
    [{"service": {"command": ["./no-such-program"]}}, {"restart_command": ["no-such-program"]}],
    ids=["service", "restart command"],
)
async def test_a_command_that_does_not_exist_fails_for_good(
    driver: DirectoryDriver,
    context: DriverContext,
    root: Path,
    tmp_path: Path,
    config: dict[str, Json],
) -> None:
    rollout = Rollout(on_disk(tmp_path, "1", sleeper_archive("1")), config)
    with pytest.raises(DriverError, match=r"no-such-program.*No such file") as caught:
        await pull_and_deploy(driver, rollout, context)
    assert not caught.value.retryable
    assert processes_below(root) == []
