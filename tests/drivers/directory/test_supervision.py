from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import psutil

from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.directory.layout import TargetDirectory
from engine.drivers.directory.process import prepare
from engine.drivers.directory.service import load_record
from engine.drivers.directory.state import save_value
from engine.drivers.directory.supervision import start_services, stop_services
from engine.drivers.protocol import DriverContext

from .support import (
    SLEEPER,
    Rollout,
    is_running,
    on_disk,
    processes_below,
    service_pid,
    sleeper_archive,
)


async def deploy_everywhere(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path, *targets: str
) -> None:
    artifact = on_disk(tmp_path, "artifact", sleeper_archive("1"))
    for target in targets:
        rollout = Rollout(artifact, SLEEPER, target=target)
        await driver.pull(rollout.pull, context)
        await driver.deploy(rollout.deploy, context)


async def test_services_that_are_gone_come_back_and_others_are_left_alone(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    await deploy_everywhere(driver, context, tmp_path, "web-1", "web-2", "web-3")
    gone = [psutil.Process(service_pid(root, target)) for target in ("web-1", "web-3")]
    for process in gone:
        process.kill()
    while any(is_running(process.pid) for process in gone):
        await asyncio.sleep(0.01)
    kept = service_pid(root, "web-2")

    assert await start_services(root) == ["web-1", "web-3"]
    assert service_pid(root, "web-2") == kept
    pids = {service_pid(root, target) for target in ("web-1", "web-2", "web-3")}
    assert {process.pid for process in processes_below(root)} == pids
    assert await start_services(root) == []


async def test_what_a_dead_agent_had_prepared_is_not_taken_for_the_service(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    await deploy_everywhere(driver, context, tmp_path, "web-1")
    await stop_services(root)
    directory = TargetDirectory.of(root, "web-1")
    record = load_record(directory)
    assert record is not None
    with ExitStack() as agent:
        launch = agent.enter_context(
            prepare(["sleep", "1000"], cwd=root, environment={}, log=directory.service_log)
        )
        save_value(directory.service, record.model_copy(update={"process": launch.identity}))
        starting = asyncio.create_task(start_services(root))
        await asyncio.sleep(0.2)
        assert not starting.done()
        agent.close()
        assert await starting == ["web-1"]
    assert [process.pid for process in processes_below(root)] == [service_pid(root, "web-1")]


async def test_stopped_services_can_be_brought_back(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    await deploy_everywhere(driver, context, tmp_path, "web-1", "web-2")
    assert await stop_services(root) == ["web-1", "web-2"]
    assert processes_below(root) == []
    assert await stop_services(root) == []
    assert await start_services(root) == ["web-1", "web-2"]
    rollout = Rollout(on_disk(tmp_path, "artifact", sleeper_archive("1")), SLEEPER)
    assert not (await driver.deploy(rollout.deploy, context)).changed


async def test_one_damaged_target_does_not_keep_the_others_down(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    await deploy_everywhere(driver, context, tmp_path, "web-1", "web-2")
    await stop_services(root)
    (root / "web-1" / "service.json").write_text("{")
    assert await start_services(root) == ["web-2"]


async def test_an_agent_that_has_done_nothing_yet_has_no_services(tmp_path: Path) -> None:
    assert await start_services(tmp_path / "nowhere") == []
    assert await stop_services(tmp_path / "nowhere") == []
