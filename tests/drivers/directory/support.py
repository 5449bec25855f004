"""What the tests of the directory driver share: tasks, archives, an artifact server, processes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil

from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.directory.process import identify
from engine.drivers.protocol import DriverContext, Outcome
from engine.model import identity
from engine.model.agent_task import AgentTask, TaskType
from engine.model.base import Json
from engine.model.environment import Target
from engine.model.release import Component

SERVER = (Path(__file__).parents[3] / "examples" / "web" / "server.py").read_bytes()
TARGET = "web-1"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tar_of(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def tar_gz_of(files: Mapping[str, bytes]) -> bytes:
    # Without the time, so that the same files have the same digest.
    return gzip.compress(tar_of(files), mtime=0)


def files_in(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        contents = {member.name: tar.extractfile(member) for member in tar}
        return {name: content.read() for name, content in contents.items() if content}


def web_archive(version: str) -> bytes:
    return tar_gz_of({"server.py": SERVER, "VERSION": version.encode()})


def sleeper_archive(version: str) -> bytes:
    return tar_gz_of({"VERSION": version.encode()})


SLEEPER: dict[str, Json] = {"service": {"command": ["sleep", "1000"]}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def web_config(port: int, **more: Json) -> dict[str, Json]:
    return {
        "service": {"command": ["python3", "server.py"], "environment": {"PORT": str(port)}},
        "health": {"url": f"http://127.0.0.1:{port}/healthz", "interval": "20ms"},
        **more,
    }


@dataclass(frozen=True)
class Bytes:
    """An artifact at a file: or http: address, and what is behind it."""

    uri: str
    digest: str
    content: bytes = b""


def on_disk(directory: Path, name: str, content: bytes) -> Bytes:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_bytes(content)
    return Bytes(path.as_uri(), digest_of(content), content)


def task_of(
    artifact: Bytes,
    task_type: TaskType,
    config: Mapping[str, Json],
    *,
    release: str = "web@1.0.0",
    promotion: UUID | None = None,
    target: str = TARGET,
) -> AgentTask:
    tenant = identity.tenant_id("demo")
    promotion = promotion or uuid4()
    job = identity.job_id(promotion, "deploy")
    target_id = identity.target_id(identity.environment_id(tenant, "staging"), target)
    return AgentTask(
        id=identity.task_id(job, target_id, "web", task_type),
        type=task_type,
        job_id=job,
        promotion_id=promotion,
        tenant_id=tenant,
        release=release,
        component=Component(name="web", artifact=artifact.uri, digest=artifact.digest),
        target=Target(
            id=target_id,
            name=target,
            agent="agent-1",
            agent_id=identity.agent_id(tenant, "agent-1"),
            driver="directory",
            config=dict(config),
        ),
        timeout=timedelta(minutes=10),
    )


@dataclass
class Rollout:
    """The three tasks of one promotion on one target."""

    artifact: Bytes
    config: Mapping[str, Json]
    release: str = "web@1.0.0"
    target: str = TARGET
    promotion: UUID = field(default_factory=uuid4)

    def task(self, task_type: TaskType) -> AgentTask:
        return task_of(
            self.artifact,
            task_type,
            self.config,
            release=self.release,
            promotion=self.promotion,
            target=self.target,
        )

    @property
    def pull(self) -> AgentTask:
        return self.task(TaskType.PULL)

    @property
    def deploy(self) -> AgentTask:
        return self.task(TaskType.DEPLOY)

    @property
    def health_check(self) -> AgentTask:
        return self.task(TaskType.HEALTH_CHECK)


def context_of(root: Path) -> DriverContext:
    return DriverContext(root=root, heartbeat=lambda: None)


async def pull_and_deploy(
    driver: DirectoryDriver, rollout: Rollout, context: DriverContext
) -> Outcome:
    await driver.pull(rollout.pull, context)
    return await driver.deploy(rollout.deploy, context)


def active_release(root: Path) -> Path:
    return (root / TARGET / "current").resolve()


def journal(root: Path, target: str = TARGET) -> list[dict[str, Any]]:
    path = root / target / "switches.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def service_pid(root: Path, target: str = TARGET) -> int:
    record = json.loads((root / target / "service.json").read_text())
    return int(record["process"]["pid"])


def processes_below(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(directory)
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def is_running(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    return identify(pid) is not None


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ArtifactServer:
    """A real HTTP server; `answers` says what each path does."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def serve(self, path: str, content: bytes) -> Bytes:
        self.answers[path] = lambda handler: send(handler, 200, content)
        return Bytes(f"{self.url}{path}", digest_of(content), content)


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    content: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


@contextmanager
def running_server() -> Iterator[ArtifactServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            answer = state.answers.get(self.path.partition("?")[0])
            if answer is None:
                send(self, 404)
            else:
                answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            # Clients that go away are part of what is tested.
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    state = ArtifactServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
