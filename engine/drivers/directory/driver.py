"""The `directory` driver."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from engine.drivers.config import parse_config
from engine.drivers.directory.background import beating, in_thread
from engine.drivers.directory.config import DirectoryConfig
from engine.drivers.directory.download import digest_of_file, fetch, shown
from engine.drivers.directory.durable import sync, sync_tree
from engine.drivers.directory.health import wait_until_healthy
from engine.drivers.directory.layout import TargetDirectory, hex_of
from engine.drivers.directory.restart import run_restart_command
from engine.drivers.directory.retention import prune
from engine.drivers.directory.service import (
    ensure_running,
    is_running,
    load_record,
    log_tail,
    retire,
)
from engine.drivers.directory.state import DeployMemory, TargetState, load_state, save_state
from engine.drivers.directory.switch import settle, switch
from engine.drivers.directory.unpack import unpack
from engine.drivers.protocol import DriverContext, Outcome
from engine.errors import DigestMismatchError, DriverError, HealthCheckError, InputError
from engine.model.agent_task import AgentTask, RunningVersion
from engine.model.base import Document
from engine.model.release import Component


class DirectoryDriver:
    """Unpacks releases side by side, and switches between them by a symbolic link.

    Every method may be cut off at any point, by a crash of the agent too, and ends right when it
    is called again. A cancelled call first finishes the step that it is in.
    """

    name: ClassVar[str] = "directory"
    config: ClassVar[type[Document]] = DirectoryConfig

    async def pull(self, task: AgentTask, context: DriverContext) -> Outcome:
        """Fetch the component's bytes, unless they are on the host already.

        Raises:
            DigestMismatchError: the bytes are not those that the release names.
            DriverError: the bytes cannot be had.
        """
        async with _work_on(task, context) as (directory, _):
            running = (await in_thread(partial(load_state, directory))).running
            digest = task.component.digest
            if directory.release(digest).is_dir() or await in_thread(
                partial(_is_downloaded, directory, digest)
            ):
                return Outcome(False, running, running, f"{digest} is on the host already")
            size = await fetch(
                task.component.artifact,
                digest,
                directory.download(digest),
                called=context.called,
            )
            detail = f"{size} bytes from {shown(task.component.artifact)}"
            return Outcome(True, running, running, detail)

    async def deploy(self, task: AgentTask, context: DriverContext) -> Outcome:
        """Unpack the component, make it the active release, and restart what runs it.

        `before` is what the target ran before this task touched it, on later tries too.

        Raises:
            DriverError: the archive is refused, or the service cannot be restarted.
        """
        async with _work_on(task, context) as (directory, config):
            return await in_thread(partial(_deploy, task, config, directory))

    async def health_check(self, task: AgentTask, context: DriverContext) -> Outcome:
        """Wait until the target answers as configured, and see that its process runs.

        Raises:
            HealthCheckError: no good answer in the configured time, or the process has ended.
        """
        # Without the lock: nothing is changed, and a deploy need not wait for a slow answer.
        async with _translated(task), beating(context.heartbeat):
            config = _config_of(task)
            directory = TargetDirectory.of(context.root, task.target.name)
            check_process = partial(_check_process, directory, config)
            running = (await in_thread(partial(load_state, directory))).running
            if config.health is not None:
                answer = await wait_until_healthy(config.health, check_process, context.called)
                return Outcome(False, running, running, f"{config.health.url} answered {answer}")
            await in_thread(check_process)
            detail = (
                "the service's process runs; no health check is configured"
                if config.service is not None
                else "neither a service nor a health check is configured, so nothing was checked"
            )
            return Outcome(False, running, running, detail)


@asynccontextmanager
async def _work_on(
    task: AgentTask, context: DriverContext
) -> AsyncIterator[tuple[TargetDirectory, DirectoryConfig]]:
    async with _translated(task), beating(context.heartbeat):
        config = _config_of(task)
        directory = TargetDirectory.of(context.root, task.target.name)
        async with directory.locked():
            yield directory, config


@asynccontextmanager
async def _translated(task: AgentTask) -> AsyncIterator[None]:
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise DriverError(f"{task.target.name}: {error.strerror or error}{where}") from error


def _config_of(task: AgentTask) -> DirectoryConfig:
    try:
        return parse_config(DirectoryConfig, task.target.config)
    except InputError as error:
        raise DriverError(f"{task.target.name}: {error}", retryable=False) from error


def _is_downloaded(directory: TargetDirectory, digest: str) -> bool:
    try:
        with directory.download(digest).open("rb") as file:
            return digest_of_file(file) == digest
    except FileNotFoundError:
        return False


def _deploy(task: AgentTask, config: DirectoryConfig, directory: TargetDirectory) -> Outcome:
    wanted = RunningVersion(
        release=task.release, component=task.component.name, digest=task.component.digest
    )
    state = settle(directory, load_state(directory))
    _ensure_unpacked(directory, task.component)
    if state.deploy is None or state.deploy.task_id != task.id:
        memory = DeployMemory(task_id=task.id, before=state.running)
        state = save_state(directory, state.model_copy(update={"deploy": memory}))
    else:
        memory = state.deploy
    switched = directory.active_digest() != wanted.digest
    if switched:
        state = switch(directory, state, task, wanted)
    elif state.running != wanted:
        # Another release with the same bytes: what the target runs has another name now.
        state = save_state(directory, state.model_copy(update={"running": wanted}))
    restarted, state = _restart(directory, config, state, wanted)
    prune(directory, state, config.keep_releases)
    return Outcome(
        changed=switched or restarted,
        before=memory.before,
        after=wanted,
        detail=_summary(switched, restarted, wanted),
    )


def _summary(switched: bool, restarted: bool, version: RunningVersion) -> str:
    what = f"{version.release} ({hex_of(version.digest)[:12]})"
    if not switched and not restarted:
        return f"runs {what} already"
    done = "switched to" if switched else "already at"
    return f"{done} {what}" + (", restarted" if restarted else "")


def _ensure_unpacked(directory: TargetDirectory, component: Component) -> None:
    destination = directory.release(component.digest)
    download = directory.download(component.digest)
    if not destination.is_dir():
        temporary = destination.with_name(f".{destination.name}.unpacking")
        if temporary.exists():
            shutil.rmtree(temporary)
        temporary.mkdir()
        _unpack_verified(directory, component, temporary)
        sync_tree(temporary)
        temporary.replace(destination)
        sync(directory.releases)
    download.unlink(missing_ok=True)


def _unpack_verified(directory: TargetDirectory, component: Component, destination: Path) -> None:
    try:
        file = directory.download(component.digest).open("rb")
    except FileNotFoundError:
        raise DriverError(
            f"{component.digest} is not on the host; it has to be pulled before it is deployed",
            retryable=False,
        ) from None
    with file:
        found = digest_of_file(file)
        if found != component.digest:
            raise DigestMismatchError(
                f"the pulled bytes of {component.name} have digest {found} now, but the release "
                f"names {component.digest}; pull again"
            )
        unpack(file, destination, plain_name=_plain_name(component))


def _plain_name(component: Component) -> str:
    name = unquote(urlsplit(component.artifact).path).rpartition("/")[2]
    return component.name if name in ("", ".", "..") or "\0" in name else name


def _restart(
    directory: TargetDirectory,
    config: DirectoryConfig,
    state: TargetState,
    version: RunningVersion,
) -> tuple[bool, TargetState]:
    restarted = False
    if config.service is not None:
        restarted = ensure_running(directory, config.service, version)
    elif load_record(directory) is not None:
        # The target had a supervised service until now.
        state = save_state(directory, state.model_copy(update={"restart_due": True}))
        retire(directory)
        restarted = True
    if config.restart_command is not None and state.restart_due:
        run_restart_command(directory, config.restart_command, version)
        restarted = True
    if state.restart_due:
        state = save_state(directory, state.model_copy(update={"restart_due": False}))
    return restarted, state


def _check_process(directory: TargetDirectory, config: DirectoryConfig) -> None:
    if config.service is None:
        return
    record = load_record(directory)
    if record is None:
        raise HealthCheckError("the target's service was never started; deploy it first")
    if not is_running(record):
        raise HealthCheckError(
            f"the service's process has ended; its last output:\n{log_tail(directory, record)}",
            retryable=False,
        )
