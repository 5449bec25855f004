from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from engine.drivers.directory.download import fetch
from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.protocol import DriverContext
from engine.errors import DigestMismatchError, DriverError

from .support import (
    TARGET,
    ArtifactServer,
    Bytes,
    Rollout,
    digest_of,
    on_disk,
    send,
    sleeper_archive,
)

CONTENT = b"the artifact" * 100_000


def downloads(root: Path) -> list[Path]:
    return sorted((root / TARGET / "downloads").iterdir())


async def test_bytes_come_by_http_once(
    driver: DirectoryDriver, context: DriverContext, root: Path, server: ArtifactServer
) -> None:
    rollout = Rollout(server.serve("/web", CONTENT), {})
    first = await driver.pull(rollout.pull, context)
    [path] = downloads(root)
    before = path.stat()
    second = await driver.pull(rollout.pull, context)

    assert first.changed
    assert not second.changed
    assert path.read_bytes() == CONTENT
    assert path.name == digest_of(CONTENT).removeprefix("sha256:")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert server.requests == ["/web"]


async def test_bytes_come_from_a_file_whose_name_is_quoted(
    driver: DirectoryDriver, context: DriverContext, root: Path, tmp_path: Path
) -> None:
    artifact = on_disk(tmp_path / "shop window", "web ü.tar", CONTENT)
    outcome = await driver.pull(Rollout(artifact, {}).pull, context)
    assert outcome.changed
    assert downloads(root)[0].read_bytes() == CONTENT


async def test_a_release_that_is_unpacked_is_not_fetched_again(
    driver: DirectoryDriver, context: DriverContext, root: Path, server: ArtifactServer
) -> None:
    rollout = Rollout(server.serve("/web", sleeper_archive("1")), {})
    await driver.pull(rollout.pull, context)
    await driver.deploy(rollout.deploy, context)
    again = await driver.pull(rollout.pull, context)
    assert not again.changed
    assert downloads(root) == []
    assert server.requests == ["/web"]


@pytest.mark.parametrize("scheme", ["file", "http"])
async def test_other_bytes_are_refused_for_good_and_leave_nothing(
    driver: DirectoryDriver,
    context: DriverContext,
    root: Path,
    tmp_path: Path,
    server: ArtifactServer,
    scheme: str,
) -> None:
    served = server.serve("/web", CONTENT) if scheme == "http" else on_disk(tmp_path, "w", CONTENT)
    rollout = Rollout(Bytes(served.uri, digest_of(b"what was promised")), {})
    with pytest.raises(DigestMismatchError) as caught:
        await driver.pull(rollout.pull, context)
    assert not caught.value.retryable
    assert digest_of(CONTENT) in str(caught.value)
    assert digest_of(b"what was promised") in str(caught.value)
    assert downloads(root) == []


async def test_a_damaged_download_is_fetched_again(
    driver: DirectoryDriver, context: DriverContext, root: Path, server: ArtifactServer
) -> None:
    rollout = Rollout(server.serve("/web", CONTENT), {})
    await driver.pull(rollout.pull, context)
    downloads(root)[0].write_bytes(CONTENT[:-1])
    again = await driver.pull(rollout.pull, context)
    assert again.changed
    assert downloads(root)[0].read_bytes() == CONTENT


async def test_a_transfer_that_is_cut_off_can_be_tried_again(
    driver: DirectoryDriver, context: DriverContext, root: Path, server: ArtifactServer
) -> None:
    def cut_off(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200, CONTENT[:1000], {"Content-Length": str(len(CONTENT))})

    server.answers["/web"] = cut_off
    rollout = Rollout(Bytes(f"{server.url}/web", digest_of(CONTENT)), {})
    with pytest.raises(DriverError) as caught:
        await driver.pull(rollout.pull, context)
    assert caught.value.retryable
    assert downloads(root) == []

    server.serve("/web", CONTENT)
    assert (await driver.pull(rollout.pull, context)).changed


@pytest.mark.parametrize(
    ("status", "retryable"), [(404, False), (403, False), (429, True), (500, True), (503, True)]
)
async def test_a_status_tells_whether_to_try_again(
    driver: DirectoryDriver,
    context: DriverContext,
    server: ArtifactServer,
    status: int,
    retryable: bool,
) -> None:
    server.answers["/web"] = lambda handler: send(handler, status)
    rollout = Rollout(Bytes(f"{server.url}/web", digest_of(CONTENT)), {})
    with pytest.raises(DriverError, match=str(status)) as caught:
        await driver.pull(rollout.pull, context)
    assert caught.value.retryable is retryable


async def test_a_redirect_within_the_scheme_is_followed(
    driver: DirectoryDriver, context: DriverContext, server: ArtifactServer
) -> None:
    server.answers["/old"] = lambda handler: send(handler, 302, headers={"Location": "/new"})
    server.serve("/new", CONTENT)
    rollout = Rollout(Bytes(f"{server.url}/old", digest_of(CONTENT)), {})
    assert (await driver.pull(rollout.pull, context)).changed
    assert server.requests == ["/old", "/new"]


async def test_a_redirect_to_another_scheme_is_not_followed(
    driver: DirectoryDriver, context: DriverContext, server: ArtifactServer
) -> None:
    away = {"Location": server.url.replace("http:", "https:") + "/new"}
    server.answers["/old"] = lambda handler: send(handler, 302, headers=away)
    rollout = Rollout(Bytes(f"{server.url}/old", digest_of(CONTENT)), {})
    with pytest.raises(DriverError, match="from http: to https:") as caught:
        await driver.pull(rollout.pull, context)
    assert not caught.value.retryable
    assert server.requests == ["/old"]


async def test_redirects_in_a_circle_end(
    driver: DirectoryDriver, context: DriverContext, server: ArtifactServer
) -> None:
    server.answers["/web"] = lambda handler: send(handler, 302, headers={"Location": "/web"})
    rollout = Rollout(Bytes(f"{server.url}/web", digest_of(CONTENT)), {})
    with pytest.raises(DriverError, match="redirects more than"):
        await driver.pull(rollout.pull, context)


async def test_messages_hold_no_password_and_no_query(
    driver: DirectoryDriver, context: DriverContext, server: ArtifactServer
) -> None:
    address = server.url.replace("http://", "http://ann:geheim@") + "/web?signature=s3cret"
    with pytest.raises(DriverError) as caught:
        await driver.pull(Rollout(Bytes(address, digest_of(CONTENT)), {}).pull, context)
    assert "/web" in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("oci://registry.example/web@sha256:1", "takes file:, http:, https: artifacts, not oci:"),
        ("dist/web.tar.gz", "not a bare path"),
        ("file://elsewhere/web.tar.gz", "names another host"),
        ("file:///nowhere/web.tar.gz", "no file /nowhere/web.tar.gz"),
    ],
)
async def test_an_address_that_cannot_be_taken_is_refused_for_good(
    driver: DirectoryDriver, context: DriverContext, uri: str, message: str
) -> None:
    with pytest.raises(DriverError, match=message) as caught:
        await driver.pull(Rollout(Bytes(uri, digest_of(CONTENT)), {}).pull, context)
    assert not caught.value.retryable


async def test_nobody_listening_can_be_tried_again(
    driver: DirectoryDriver, context: DriverContext
) -> None:
    rollout = Rollout(Bytes("http://127.0.0.1:9/web", digest_of(CONTENT)), {})
    with pytest.raises(DriverError, match="cannot be fetched: ConnectError") as caught:
        await driver.pull(rollout.pull, context)
    assert caught.value.retryable


@pytest.mark.parametrize("announced", [True, False])
async def test_too_many_bytes_are_refused(
    tmp_path: Path, server: ArtifactServer, announced: bool
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if announced:
            send(handler, 200, CONTENT)
            return
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    server.answers["/web"] = answer
    with pytest.raises(DriverError, match="the most that is taken") as caught:
        await fetch(f"{server.url}/web", digest_of(CONTENT), tmp_path / "web", limit=1000)
    assert not caught.value.retryable
    assert list(tmp_path.iterdir()) == []


async def test_a_cancelled_pull_lets_the_target_go_and_leaves_nothing(
    driver: DirectoryDriver, context: DriverContext, root: Path, server: ArtifactServer
) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:1000])
        handler.wfile.flush()
        under_way.set()
        go_on.wait(60)

    server.answers["/web"] = hang
    rollout = Rollout(Bytes(f"{server.url}/web", digest_of(CONTENT)), {})
    pulling = asyncio.create_task(driver.pull(rollout.pull, context))
    assert await asyncio.to_thread(under_way.wait, 60)
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    go_on.set()
    assert downloads(root) == []

    server.serve("/web", CONTENT)
    assert (await driver.pull(rollout.pull, context)).changed


async def test_the_heart_beats_while_a_pull_waits(
    driver: DirectoryDriver, root: Path, server: ArtifactServer
) -> None:
    beats: list[int] = []
    enough = threading.Event()

    def beat() -> None:
        beats.append(1)
        if len(beats) >= 3:
            enough.set()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        enough.wait(60)
        send(handler, 200, CONTENT)

    server.answers["/web"] = slow
    rollout = Rollout(Bytes(f"{server.url}/web", digest_of(CONTENT)), {})
    await driver.pull(rollout.pull, DriverContext(root=root, heartbeat=beat))
    assert len(beats) >= 3
