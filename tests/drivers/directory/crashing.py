"""A child process that runs the driver and is killed, at a chosen step or by its parent."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from engine.drivers.directory.driver import DirectoryDriver
from engine.model.agent_task import AgentTask, TaskType

from .support import context_of

_STEPS = frozenset(
    {
        "fcntl.flock",
        "open",
        "os.kill",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "subprocess.Popen",
    }
)

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def run(tasks: Sequence[AgentTask], root: Path) -> None:
    """Do the tasks one after the other, as an agent does."""

    async def work() -> None:
        driver = DirectoryDriver()
        methods = {
            TaskType.PULL: driver.pull,
            TaskType.DEPLOY: driver.deploy,
            TaskType.HEALTH_CHECK: driver.health_check,
        }
        for task in tasks:
            await methods[task.type](task, context_of(root))

    asyncio.run(work())


def start(tasks: Sequence[AgentTask], root: Path, die_at: int = 0) -> ForkServerProcess:
    """Do the tasks in a child process, which kills itself before the step number `die_at`."""
    process = _processes.Process(target=_child, args=(tuple(tasks), root, die_at))
    process.start()
    return process


def run_until_step(tasks: Sequence[AgentTask], root: Path, die_at: int) -> bool:
    """Whether the child died at the step, as against having no so many steps."""
    process = start(tasks, root, die_at)
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _child(tasks: Sequence[AgentTask], root: Path, die_at: int) -> None:
    step = 0

    def count() -> None:
        nonlocal step
        step += 1
        if step == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS and (event != "open" or str(arguments[0]).startswith(str(root))):
            count()

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any) -> Any:
            count()
            result = call(*arguments)
            # A call takes effect, and the program dies before it knows.
            count()
            return result

        return counting

    if die_at:
        # The interpreter reports most calls that change files; these it does not.
        os.fsync = counted(os.fsync)
        os.write = counted(os.write)
        sys.addaudithook(on_event)
    run(tasks, root)
