from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from engine.config import Settings
from engine.drivers.directory.config import ServiceConfig
from engine.drivers.directory.layout import TargetDirectory
from engine.drivers.directory.service import ensure_running, is_running, load_record
from engine.embedded import temporal_server
from engine.embedded.dev import Programs, embedded_system
from engine.embedded.supervisor import RestartPolicy
from engine.errors import InputError, ProcessTreeError
from engine.home.discovery import DevAddress, running
from engine.model.agent_task import RunningVersion
from engine.store.store import Store
from tests.embedded.standins import (
    FAILING,
    OBEDIENT,
    SHORT_LIVED,
    STUBBORN,
    command,
    is_alive,
    noted,
    started,
    until,
)

FILE = """\
environments:
  - name: staging
    targets:
      - {name: web-1, agent: west}
      - {name: web-2, agent: east}
"""

TELL = """
import json
note("arguments " + json.dumps(sys.argv[3:]))
ours = {k: v for k, v in os.environ.items() if k.startswith(("PROMOTE_", "TEMPORAL_"))}
note("environment " + json.dumps(ours))
"""

RUN_DEV = """
import asyncio, json, sys
from functools import partial
from pathlib import Path
from engine.config import Settings
from engine.embedded.dev import Programs, run_dev
from engine.errors import PromotionEngineError
home, file, worker, agent = sys.argv[1:]
try:
    asyncio.run(run_dev(
        settings=Settings(home=Path(home)),
        environment_file=Path(file),
        report=partial(print, flush=True),
        programs=Programs(worker=tuple(json.loads(worker)), agent=tuple(json.loads(agent))),
    ))
except PromotionEngineError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "environments.yaml"
    path.write_text(FILE)
    return path


def programs(notes: Path, *, worker: str = OBEDIENT, agent: str = OBEDIENT) -> Programs:
    return Programs(
        worker=command(TELL + worker, notes, "worker"), agent=command(TELL + agent, notes, "agent")
    )


@asynccontextmanager
async def system(
    home: Path, notes: Path, file: Path | None, report: list[str] | None = None
) -> AsyncIterator[DevAddress]:
    lines = [] if report is None else report
    async with embedded_system(
        Settings(home=home), file, lines.append, programs=programs(notes)
    ) as address:
        yield address


@contextmanager
def dev_process(home: Path, file: Path, chosen: Programs) -> Iterator[subprocess.Popen[str]]:
    """A supervisor of its own, as `promote dev` is one."""
    arguments = [str(home), str(file), json.dumps(chosen.worker), json.dumps(chosen.agent)]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_DEV, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    assert process.stdout is not None
    lines = list[str]()
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if wanted in line:
            return lines
    raise AssertionError("\n".join(lines))


def tree_of(process: subprocess.Popen[str]) -> list[int]:
    return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]


async def test_everything_starts_in_order_and_stops_in_reverse(
    home: Path, notes: Path, file: Path
) -> None:
    async with system(home, notes, file) as address:
        assert running(home) == address
        assert address.pid == os.getpid()
        await Client.connect(address.address)
        async with Store.open(f"sqlite:///{home}/promote.db") as store:
            (definition,) = await store.environments.list("default")
        assert [target.name for target in definition.targets] == ["web-1", "web-2"]
        assert {path.name for path in (home / "logs").iterdir()} == {
            "temporal.log",
            "worker.log",
            "agents.log",
        }

    assert running(home) is None
    order = [" ".join(line.split()[:2]) for line in noted(notes) if line.startswith("st")]
    assert order == ["start worker", "start agent", "stop agent", "stop worker"]
    with pytest.raises(RuntimeError):
        await Client.connect(address.address)


async def test_the_children_are_told_all_that_they_need(
    home: Path, notes: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "elsewhere:7233")
    monkeypatch.setenv("TEMPORAL_API_KEY", "secret")
    monkeypatch.setenv("TEMPORAL_PROFILE", "company")
    monkeypatch.chdir(home.parent)

    async with system(Path("home"), notes, file) as address:
        pass

    told = [json.loads(line.split(" ", 1)[1]) for line in noted(notes) if line.startswith("en")]
    assert len(told) == 2
    for environment in told:
        temporal = {key: value for key, value in environment.items() if key.startswith("TEMPORAL_")}
        assert temporal == {
            "TEMPORAL_ADDRESS": address.address,
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        assert environment["PROMOTE_HOME"] == str(home)
        assert environment["PROMOTE_DATABASE_URL"] == f"sqlite:///{home}/promote.db"
        assert "PROMOTE_SIGNING_KEY" not in environment
    arguments = [json.loads(line.split(" ", 1)[1]) for line in noted(notes) if line[0] == "a"]
    assert arguments == [
        [],
        ["--id", "east", "--id", "west", "--root", str(home / "agents")],
    ]


async def test_a_second_start_goes_on_with_the_state_of_the_first(
    home: Path, notes: Path, file: Path
) -> None:
    reported = list[str]()
    async with system(home, notes, file, reported) as address:
        client = await Client.connect(address.address)
        first = await client.start_workflow("waits", id="promotion/1", task_queue="nobody")
    assert "environment staging: created" in reported

    reported.clear()
    async with system(home, notes, file, reported) as address:
        client = await Client.connect(address.address)
        found = await client.get_workflow_handle("promotion/1").describe()

    assert (found.status, found.run_id) == (
        WorkflowExecutionStatus.RUNNING,
        first.first_execution_run_id,
    )
    assert "environment staging: unchanged" in reported


async def test_without_a_file_the_agents_that_were_there_run_again(home: Path, notes: Path) -> None:
    async with system(home, notes, None):
        assert started(notes, "agent") == []
    for name in ("north", "south"):
        (home / "agents" / name).mkdir(parents=True)

    async with system(home, notes, None):
        assert len(started(notes, "agent")) == 1

    expected = ["--id", "north", "--id", "south", "--root", str(home / "agents")]
    assert f"arguments {json.dumps(expected)}" in noted(notes)


async def test_ports_that_are_taken_are_replaced_and_told(
    home: Path, notes: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = list[str]()
    with socket.socket() as one, socket.socket() as other:
        for taken, name in ((one, "STANDARD_PORT"), (other, "STANDARD_UI_PORT")):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            monkeypatch.setattr(temporal_server, name, taken.getsockname()[1])
        async with system(home, notes, file, reported) as address:
            port, ui_port = address.address.split(":")[1], address.ui.rsplit(":", 1)[1]
            assert await (await Client.connect(address.address)).service_client.check_health()

        assert reported[:3] == [
            f"Temporal: port {one.getsockname()[1]} is taken, using {port}",
            f"Temporal UI: port {other.getsockname()[1]} is taken, using {ui_port}",
            f"Temporal: 127.0.0.1:{port}, UI http://127.0.0.1:{ui_port}",
        ]


async def test_a_second_system_on_the_same_home_is_refused(
    home: Path, notes: Path, file: Path
) -> None:
    async with system(home, notes, file) as address:
        with pytest.raises(InputError, match=rf"in use by another .* \(process {os.getpid()}\)"):
            async with system(home, notes, file):
                raise AssertionError

        assert running(home) == address
        assert await (await Client.connect(address.address)).service_client.check_health()


async def test_a_mistake_in_the_file_is_told_before_anything_starts(
    home: Path, notes: Path, file: Path
) -> None:
    file.write_text(FILE.replace("agent: west", "agnet: west"))

    with pytest.raises(InputError, match="did you mean 'agent'"):
        async with system(home, notes, file):
            raise AssertionError

    assert not home.exists()


async def test_a_worker_that_fails_at_its_start_stops_everything(
    home: Path, notes: Path, file: Path
) -> None:
    failing = programs(notes, worker=FAILING)
    with pytest.raises(ProcessTreeError, match=r"worker ended before it was ready.*\n.*settings"):
        async with embedded_system(Settings(home=home), file, print, programs=failing):
            raise AssertionError

    assert running(home) is None
    assert not [child for child in psutil.Process().children() if str(home) in child.cmdline()]


async def test_an_agent_that_keeps_dying_ends_the_block_with_the_reason(
    home: Path, notes: Path, file: Path
) -> None:
    dying = programs(notes, agent=SHORT_LIVED)

    async def use() -> None:
        async with embedded_system(
            Settings(home=home), file, print, programs=dying, policy=RestartPolicy(attempts=2)
        ):
            await asyncio.Event().wait()

    with pytest.raises(ProcessTreeError, match="agents ended 3 times in a row"):
        await use()

    assert noted(notes)[-1] == "stop worker"


async def test_the_services_of_the_targets_stop_with_the_system(
    home: Path, notes: Path, file: Path
) -> None:
    target = TargetDirectory.of(home / "agents" / "west", "web-1")
    digest = "sha256:" + "0" * 64
    target.release(digest).mkdir(parents=True)
    reported = list[str]()
    async with system(home, notes, file, reported):
        service = ServiceConfig(command=(sys.executable, "-c", "import time; time.sleep(600)"))
        version = RunningVersion(release="shop@1", component="web", digest=digest)
        assert ensure_running(target, service, version)
        assert is_running(load_record(target))

    assert not is_running(load_record(target))
    assert reported[-1] == "service of web-1: stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_the_whole_tree(
    home: Path, notes: Path, file: Path, number: signal.Signals
) -> None:
    with dev_process(home, file, programs(notes)) as process:
        read_until(process, "ready; stop with Ctrl-C")
        tree = tree_of(process)
        assert len(tree) == 3
        found = running(home)
        assert found is not None
        assert found.pid == process.pid

        process.send_signal(number)
        assert process.stdout is not None
        rest = process.stdout.read().splitlines()

        assert process.wait() == 0
        assert rest == ["stopping", "stopped; nothing is left running"]
        assert not any(map(is_alive, tree))
        assert noted(notes)[-2:] == ["stop agent", "stop worker"]
        assert not (home / "dev.json").exists()


async def test_a_signal_during_the_start_stops_what_has_started(
    home: Path, notes: Path, file: Path
) -> None:
    silent = "\nnote(f'start worker {os.getpid()}')\ntime.sleep(600)\n"
    with dev_process(home, file, programs(notes, worker=silent)) as process:
        await until(lambda: bool(started(notes, "worker")), "the worker's process")
        tree = tree_of(process)
        assert len(tree) == 2

        process.send_signal(signal.SIGTERM)

        assert process.wait() == 0
        assert not any(map(is_alive, tree))


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
async def test_nothing_outlives_a_supervisor_that_was_killed(
    home: Path, notes: Path, file: Path
) -> None:
    with dev_process(home, file, programs(notes, worker=STUBBORN, agent=STUBBORN)) as process:
        read_until(process, "ready; stop with Ctrl-C")
        tree = tree_of(process)
        assert len(tree) == 3

        process.kill()
        process.wait()

        await until(lambda: not any(map(is_alive, tree)), "the end of the tree")
        assert (home / "dev.json").exists()
        assert running(home) is None

    async with system(home, notes, file) as address:
        assert running(home) == address


async def test_a_second_process_on_the_same_home_ends_with_a_clear_message(
    home: Path, notes: Path, file: Path
) -> None:
    with dev_process(home, file, programs(notes)) as first:
        read_until(first, "ready; stop with Ctrl-C")
        with dev_process(home, file, programs(notes)) as second:
            lines = read_until(second, "refused: ")
            assert second.wait() == 1

        assert lines == [
            f"refused: PROMOTE_HOME: {home} is in use by another `promote dev` "
            f"(process {first.pid}); stop that one first, or choose another directory"
        ]
        first.send_signal(signal.SIGTERM)
        assert first.wait() == 0
