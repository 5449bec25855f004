"""`promote dev`: server, database, worker and agents on this machine, as one process tree."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.config import LogFormat, Settings
from engine.documents.environment_file import load_environments
from engine.drivers.directory.supervision import stop_services
from engine.embedded import ports, temporal_server
from engine.embedded.process import ChildSpec
from engine.embedded.supervisor import RestartPolicy, Supervisor, supervision
from engine.errors import InputError, ProcessTreeError
from engine.home.discovery import DevAddress, announced
from engine.home.lock import exclusive
from engine.model.environment import EnvironmentDefinition
from engine.processes import READY
from engine.store import schema
from engine.store.store import Store

Report = Callable[[str], None]
"""Takes one line for people."""

_PORT_ATTEMPTS = 3
_CLI = (sys.executable, "-m", "engine.cli.main")


@dataclass(frozen=True)
class Programs:
    """The commands of our own children, without the arguments that depend on the files given."""

    worker: tuple[str, ...] = (*_CLI, "worker")
    agent: tuple[str, ...] = (*_CLI, "agent")


async def run_dev(
    *,
    settings: Settings,
    environment_file: Path | None,
    report: Report,
    programs: Programs | None = None,
    echo: bool = False,
) -> None:
    """Run the embedded system until SIGINT, SIGTERM or SIGHUP, then stop all of it.

    Arguments and errors are those of `embedded_system`.
    """

    async def serve() -> None:
        system = embedded_system(settings, environment_file, report, programs=programs, echo=echo)
        async with system:
            report("ready; stop with Ctrl-C")
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if stopping:
            report("still stopping")
            return
        stopping = True
        report("stopping")
        serving.cancel()

    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        await serving
    except asyncio.CancelledError:
        if not stopping:
            raise
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    report("stopped; nothing is left running")


@asynccontextmanager
async def embedded_system(
    settings: Settings,
    environment_file: Path | None,
    report: Report,
    *,
    programs: Programs | None = None,
    policy: RestartPolicy | None = None,
    echo: bool = False,
) -> AsyncIterator[DevAddress]:
    """The whole system, ready, for the time of the block; its state stays in the home directory.

    Args:
        environment_file: applied before worker and agents start, and names the agents. Without
            one, the agents that ran here before run again.
        programs: what to run as worker and agent; the `promote` command by default.
        policy: how often a process that died is started again.
        echo: whether to report what the processes print; it is in `<home>/logs` in any case.

    Raises:
        InputError: the environment file or a setting is wrong, or the home directory is in use.
        ProcessTreeError: a process could not be started, or died too often, in which case the
            block is cancelled.
        UnreachableError, SchemaVersionError: the database cannot be used.
    """
    definitions = () if environment_file is None else load_environments(environment_file)
    cli = temporal_server.find_cli()
    programs = programs or Programs()
    home = _made(settings.home)
    async with exclusive(home):
        try:
            logs = home / "logs"
            async with supervision(logs, report, policy=policy, echo=echo) as supervisor:
                address = await _start_server(supervisor, cli, home, report)
                await _prepare_database(settings, definitions, report)
                environment = _environment(settings, home, address)
                await supervisor.start(
                    ChildSpec("worker", programs.worker, environment, ready_line=READY)
                )
                report("worker: ready")
                agents = _agents(definitions, home)
                if agents:
                    command = (*programs.agent, *_agent_arguments(agents, home))
                    await supervisor.start(
                        ChildSpec("agents", command, environment, ready_line=READY)
                    )
                    report(f"agents: {', '.join(agents)}")
                with announced(home, address):
                    yield address
        finally:
            await _stop_services(home, report)


async def _start_server(
    supervisor: Supervisor, cli: Path, home: Path, report: Report
) -> DevAddress:
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        port = ports.choose(temporal_server.STANDARD_PORT)
        ui_port = ports.choose(temporal_server.STANDARD_UI_PORT, avoid=(port.number,))
        for chosen, what in ((port, "Temporal"), (ui_port, "Temporal UI")):
            if not chosen.is_standard:
                report(f"{what}: port {chosen.preferred} is taken, using {chosen.number}")
        spec = temporal_server.server_spec(
            cli,
            home=home,
            port=port.number,
            ui_port=ui_port.number,
            environment=_without_temporal(os.environ),
        )
        try:
            await supervisor.start(spec)
        except ProcessTreeError:
            # Somebody else may have taken a port between our look and the server's start.
            lost = not (ports.is_free(port.number) and ports.is_free(ui_port.number))
            if lost and attempt < _PORT_ATTEMPTS:
                continue
            raise
        break
    address = DevAddress(
        address=f"{ports.HOST}:{port.number}",
        ui=f"http://{ports.HOST}:{ui_port.number}",
        namespace=temporal_server.NAMESPACE,
        pid=os.getpid(),
    )
    report(f"Temporal: {address.address}, UI {address.ui}")
    return address


async def _prepare_database(
    settings: Settings, definitions: Sequence[EnvironmentDefinition], report: Report
) -> None:
    await schema.upgrade(settings.effective_database_url)
    async with Store.open(settings.effective_database_url) as store:
        for definition in definitions:
            change = await store.environments.apply(definition)
            report(f"environment {definition.environment.name}: {change}")


def _agents(definitions: Sequence[EnvironmentDefinition], home: Path) -> list[str]:
    if definitions:
        return sorted({target.agent for each in definitions for target in each.targets})
    return [path.name for path in _agent_roots(home)]


def _agent_arguments(agents: Sequence[str], home: Path) -> tuple[str, ...]:
    ids = (part for agent in agents for part in ("--id", agent))
    return (*ids, "--root", str(home / "agents"))


def _agent_roots(home: Path) -> list[Path]:
    return sorted(path for path in home.glob("agents/*") if path.is_dir())


async def _stop_services(home: Path, report: Report) -> None:
    for root in _agent_roots(home):
        for target in await stop_services(root):
            report(f"service of {target}: stopped")


def _made(home: Path) -> Path:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "PROMOTE_HOME", f"{home} cannot be made: {error.strerror}", "choose another directory"
        ) from error
    return home.absolute()


def _environment(settings: Settings, home: Path, address: DevAddress) -> dict[str, str]:
    # The default key is below the home, and made there on first use; a named one must exist.
    named = {} if settings.signing_key is None else {"PROMOTE_SIGNING_KEY": settings.signing_key}
    return {
        **_without_temporal(os.environ),
        **{variable: str(path.absolute()) for variable, path in named.items()},
        "TEMPORAL_ADDRESS": address.address,
        "TEMPORAL_NAMESPACE": address.namespace,
        # A profile of the user's would bring its own TLS and API key along.
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "PROMOTE_HOME": str(home),
        "PROMOTE_DATABASE_URL": settings.effective_database_url,
        # People read these logs, though they go to files.
        "PROMOTE_LOG_FORMAT": settings.log_format or LogFormat.CONSOLE,
        "PROMOTE_LOG_LEVEL": settings.log_level,
    }


def _without_temporal(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith("TEMPORAL_")}
