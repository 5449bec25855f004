"""What a driver tells of its calls over the network, for the task's span."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from engine.drivers.calls import http_call
from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.protocol import DriverContext
from engine.errors import DriverError, HealthCheckError
from engine.model.verdict import AttributeValue

from .support import ArtifactServer, Bytes, Rollout, free_port, on_disk, send, sleeper_archive

Calls = list[dict[str, AttributeValue]]


@pytest.fixture
def calls() -> Calls:
    return []


@pytest.fixture
def heard(context: DriverContext, calls: Calls) -> DriverContext:
    def called(attributes: Mapping[str, AttributeValue]) -> None:
        calls.append(dict(attributes))

    return dataclasses.replace(context, called=called)


def expected(url: str, status: int | None, **more: AttributeValue) -> dict[str, AttributeValue]:
    parts = urlsplit(url)
    found: dict[str, AttributeValue] = {
        "http.request.method": "GET",
        "url.full": url,
        "server.address": "127.0.0.1",
        "server.port": parts.port or 0,
    }
    if status is not None:
        found["http.response.status_code"] = status
    return {**found, **{key.replace("__", "."): value for key, value in more.items()}}


async def test_a_download_tells_its_request_and_the_answer_after_redirects(
    driver: DirectoryDriver, heard: DriverContext, server: ArtifactServer, calls: Calls
) -> None:
    archive = server.serve("/web", sleeper_archive("1"))
    server.answers["/old"] = lambda handler: send(handler, 302, headers={"Location": "/web"})
    artifact = Bytes(f"{server.url}/old?token=s3cret", archive.digest)
    await driver.pull(Rollout(artifact, {}).pull, heard)
    assert calls == [
        expected(f"{server.url}/old", None),
        expected(f"{server.url}/old", 302),
        expected(f"{server.url}/web", None),
        expected(f"{server.url}/web", 200),
    ]


async def test_a_download_that_fails_tells_the_answer(
    driver: DirectoryDriver, heard: DriverContext, server: ArtifactServer, calls: Calls
) -> None:
    server.answers["/web"] = lambda handler: send(handler, 503)
    artifact = Bytes(f"{server.url}/web", "sha256:" + "0" * 64)
    with pytest.raises(DriverError, match="503"):
        await driver.pull(Rollout(artifact, {}).pull, heard)
    assert calls[-1] == expected(f"{server.url}/web", 503)


async def test_a_health_check_tells_how_often_it_asked(
    driver: DirectoryDriver,
    heard: DriverContext,
    server: ArtifactServer,
    calls: Calls,
    tmp_path: Path,
) -> None:
    answers = iter([503, 503])
    server.answers["/healthz"] = lambda handler: send(handler, next(answers, 200))
    url = f"{server.url}/healthz"
    rollout = Rollout(
        on_disk(tmp_path, "web", sleeper_archive("1")),
        {"health": {"url": url, "interval": "10ms"}},
    )
    await driver.health_check(rollout.health_check, heard)
    assert calls == [
        expected(url, 503),
        expected(url, 503, http__request__resend_count=1),
        expected(url, 200, http__request__resend_count=2),
    ]


async def test_a_health_check_without_an_answer_has_no_status(
    driver: DirectoryDriver, heard: DriverContext, calls: Calls, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}/healthz"
    rollout = Rollout(
        on_disk(tmp_path, "web", sleeper_archive("1")),
        {"health": {"url": url, "interval": "200ms", "timeout": "1s"}},
    )
    with pytest.raises(HealthCheckError):
        await driver.health_check(rollout.health_check, heard)
    assert calls[0] == expected(url, None)


async def test_work_without_the_network_tells_of_no_call(
    driver: DirectoryDriver, heard: DriverContext, calls: Calls, tmp_path: Path
) -> None:
    rollout = Rollout(on_disk(tmp_path, "web", sleeper_archive("1")), {})
    await driver.pull(rollout.pull, heard)
    await driver.deploy(rollout.deploy, heard)
    await driver.health_check(rollout.health_check, heard)
    assert calls == []


@pytest.mark.parametrize(
    ("url", "full", "address", "port"),
    [
        ("https://host/a", "https://host/a", "host", 443),
        ("http://host", "http://host", "host", 80),
        ("https://user:pass@host:8443/a?k=v#f", "https://host:8443/a", "host", 8443),
        ("http://[::1]:8080/a", "http://[::1]:8080/a", "::1", 8080),
        ("http://host:port/a", "http://host:port/a", "host", None),
        ("http://host:99999/a", "http://host:99999/a", "host", None),
    ],
)
def test_an_address_is_told_without_its_secrets(
    url: str, full: str, address: str, port: int | None
) -> None:
    call = http_call(url, status=200)
    assert (call["url.full"], call["server.address"]) == (full, address)
    assert call.get("server.port") == port
