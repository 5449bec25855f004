from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import cast

import pytest

from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.protocol import DriverContext
from engine.errors import HealthCheckError
from engine.model.base import Json

from .support import (
    SERVER,
    SLEEPER,
    ArtifactServer,
    Rollout,
    free_port,
    is_running,
    on_disk,
    send,
    service_pid,
    sleeper_archive,
    tar_of,
    web_config,
)

LATE: Json = ["python3", "late.py"]


def rollout_with(tmp_path: Path, config: Mapping[str, Json]) -> Rollout:
    return Rollout(on_disk(tmp_path, "artifact", sleeper_archive("1")), config)


async def deployed(driver: DirectoryDriver, context: DriverContext, rollout: Rollout) -> Rollout:
    await driver.pull(rollout.pull, context)
    await driver.deploy(rollout.deploy, context)
    return rollout


async def test_a_service_is_waited_for_until_it_answers(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    late = b"import time\ntime.sleep(0.3)\nimport server\nserver.main()\n"
    content = tar_of({"server.py": SERVER, "VERSION": b"1.0.0", "late.py": late})
    config = web_config(free_port())
    config["service"] = {**cast("dict[str, Json]", config["service"]), "command": LATE}
    rollout = Rollout(on_disk(tmp_path, "web", content), config)
    await deployed(driver, context, rollout)
    outcome = await driver.health_check(rollout.health_check, context)
    assert not outcome.changed
    assert outcome.after is not None
    assert outcome.after.digest == rollout.artifact.digest
    assert '"version": "1.0.0"' in outcome.detail


async def test_bad_answers_are_asked_again_until_a_good_one(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path, server: ArtifactServer
) -> None:
    answers = iter([(500, b""), (200, b"starting"), (200, b"all is ready now")])
    server.answers["/healthz"] = lambda handler: send(handler, *next(answers))
    health: Json = {
        "url": f"{server.url}/healthz",
        "interval": "10ms",
        "expect_body_contains": "ready",
    }
    await driver.health_check(rollout_with(tmp_path, {"health": health}).health_check, context)
    assert server.requests == ["/healthz"] * 3


async def test_another_status_may_be_the_good_one(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path, server: ArtifactServer
) -> None:
    server.answers["/healthz"] = lambda handler: send(handler, 204)
    health: Json = {"url": f"{server.url}/healthz", "expect_status": 204}
    await driver.health_check(rollout_with(tmp_path, {"health": health}).health_check, context)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({}, r"the last answer: 503 'out of order', where status 200 is expected"),
        ({"expect_status": 503, "expect_body_contains": "ready"}, r"where 'ready' is expected"),
    ],
)
async def test_when_time_is_up_the_last_answer_is_told(
    driver: DirectoryDriver,
    context: DriverContext,
    tmp_path: Path,
    server: ArtifactServer,
    expected: dict[str, Json],
    message: str,
) -> None:
    server.answers["/healthz"] = lambda handler: send(handler, 503, b"out of order")
    health = {"url": f"{server.url}/healthz", "timeout": "400ms", "interval": "150ms", **expected}
    rollout = rollout_with(tmp_path, {"health": health})
    with pytest.raises(HealthCheckError, match=message) as caught:
        await driver.health_check(rollout.health_check, context)
    assert caught.value.retryable
    assert "within 0.4 s" in str(caught.value)


async def test_nobody_listening_is_told(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    health: Json = {"url": f"http://127.0.0.1:{free_port()}/", "timeout": "100ms"}
    with pytest.raises(HealthCheckError, match="ConnectError"):
        await driver.health_check(rollout_with(tmp_path, {"health": health}).health_check, context)


async def test_an_answer_that_never_ends_does_not_hold_the_check(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path, server: ArtifactServer
) -> None:
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not done.wait(0.02):
            try:
                handler.wfile.write(b".")
            except OSError:
                return

    server.answers["/healthz"] = drip
    health: Json = {"url": f"{server.url}/healthz", "timeout": "300ms"}
    try:
        with pytest.raises(HealthCheckError, match="the last answer: none within"):
            await driver.health_check(
                rollout_with(tmp_path, {"health": health}).health_check, context
            )
    finally:
        done.set()


async def test_a_process_that_ended_is_told_at_once_with_its_last_words(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    config: dict[str, Json] = {
        "service": {"command": ["sh", "-c", "echo cannot open the database >&2; exit 1"]},
        "health": {"url": f"http://127.0.0.1:{free_port()}/", "timeout": "1h"},
    }
    rollout = await deployed(driver, context, rollout_with(tmp_path, config))
    async with asyncio.timeout(60):
        with pytest.raises(HealthCheckError, match="cannot open the database") as caught:
            await driver.health_check(rollout.health_check, context)
    assert not caught.value.retryable


async def test_an_answer_of_a_stranger_does_not_make_a_dead_service_healthy(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path, server: ArtifactServer
) -> None:
    server.answers["/healthz"] = lambda handler: send(handler, 200)
    config: dict[str, Json] = {
        "service": {"command": ["false"]},
        "health": {"url": f"{server.url}/healthz", "interval": "10ms"},
    }
    rollout = await deployed(driver, context, rollout_with(tmp_path, config))
    while is_running(service_pid(context.root)):
        await asyncio.sleep(0.01)
    with pytest.raises(HealthCheckError, match="has ended"):
        await driver.health_check(rollout.health_check, context)


async def test_the_last_words_are_those_of_the_release_in_question(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    def saying(words: str) -> dict[str, Json]:
        return {"service": {"command": ["sh", "-c", f"echo {words}"]}}

    await deployed(driver, context, rollout_with(tmp_path / "1", saying("first")))
    rollout = Rollout(on_disk(tmp_path, "2", sleeper_archive("2")), saying("second"))
    await deployed(driver, context, rollout)
    while is_running(service_pid(context.root)):
        await asyncio.sleep(0.01)
    with pytest.raises(HealthCheckError) as caught:
        await driver.health_check(rollout.health_check, context)
    assert "second" in str(caught.value)
    assert "first" not in str(caught.value)


async def test_without_a_url_a_running_process_is_enough(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    rollout = await deployed(driver, context, rollout_with(tmp_path, SLEEPER))
    outcome = await driver.health_check(rollout.health_check, context)
    assert "process runs" in outcome.detail


async def test_a_service_that_was_never_started_is_not_healthy(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    with pytest.raises(HealthCheckError, match="never started"):
        await driver.health_check(rollout_with(tmp_path, SLEEPER).health_check, context)


async def test_with_nothing_to_check_that_is_said(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path
) -> None:
    outcome = await driver.health_check(rollout_with(tmp_path, {}).health_check, context)
    assert "nothing was checked" in outcome.detail
