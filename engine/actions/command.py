"""Running a program: no shell, a clean environment, bounded in time, output and resources."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from engine.actions import launch
from engine.actions.heartbeat import beating
from engine.actions.pipes import Input, Output
from engine.actions.propagation import trace_variables
from engine.actions.references import Given, Known, ResolveSecret, SecretRef
from engine.config import load_settings
from engine.errors import CallError, InputError
from engine.model.base import Document, Duration

GRACE_SECONDS = 5.0
"""Between the request to end and the killing."""

_DRAIN_SECONDS = 2.0
_PASSING = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""This host has too much to do; another time it may not."""

_INHERITED = ("PATH", "HOME", "LANG")
_OWN_VARIABLES = frozenset({"TRACEPARENT", "TRACESTATE", "BAGGAGE"})


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _variable_name(name: str) -> str:
    if name in _OWN_VARIABLES:
        raise ValueError(f"{name} is set by the engine; leave it out")
    return name


def _variable_value(value: str | SecretRef) -> str | SecretRef:
    return _without_nul(value) if isinstance(value, str) else value


def _absolute(path: str) -> str:
    if not Path(path).is_absolute():
        raise ValueError("has to be an absolute path")
    return _without_nul(path)


Argument = Annotated[str, Field(max_length=32 * 1024), AfterValidator(_without_nul)]
VariableName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_variable_name)
]
VariableValue = Annotated[Given, AfterValidator(_variable_value)]


class CommandRequest(Document):
    """One program to run.

    Attributes:
        command: the program and its arguments; no shell sees them. A program without a slash is
            looked for in the worker's PATH.
        env: added to PATH, HOME, LANG and the variables of the trace; nothing else is inherited.
            Values may be references to secrets.
        cwd: its working directory; the worker's own where none is given.
        timeout: until it is asked to end; it is killed a few seconds later.
        cpu_seconds: of processor time, for each of its processes.
        memory_mib: of address space, for each of its processes.
        max_output: bytes kept of each of stdout and stderr; more is read and dropped.
    """

    command: tuple[Argument, ...] = Field(min_length=1, max_length=1000)
    env: dict[VariableName, VariableValue] = Field(default_factory=dict, max_length=200)
    cwd: Annotated[str, AfterValidator(_absolute)] | None = None
    timeout: Duration = Field(
        default=timedelta(seconds=60), gt=timedelta(), le=timedelta(minutes=55)
    )
    cpu_seconds: int | None = Field(default=None, ge=1, strict=True)
    memory_mib: int | None = Field(default=None, ge=1, le=2**30, strict=True)
    max_output: int = Field(default=64 * 1024, ge=1, le=4 * 1024 * 1024, strict=True)


@dataclass(frozen=True)
class CommandResult:
    """How a program ended.

    Attributes:
        exit_code: the negative number of the signal where one ended it.
        stdout, stderr: without the secrets that it was given.
        truncated: whether it wrote more than was kept.
    """

    exit_code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    truncated: bool
    seconds: float


def ending(exit_code: int) -> str:
    """How a program ended, in words."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"


async def run(
    request: CommandRequest,
    *,
    resolve_secret: ResolveSecret,
    stdin: bytes | None = None,
    heartbeat: Callable[[], None] = lambda: None,
    by_operator: bool = False,
) -> CommandResult:
    """Run one program to its end; what it started and left behind is killed then.

    Cancelled, it ends the program in the same way as after its time.

    Args:
        resolve_secret: as `GateServices.secret`.
        stdin: what it reads; nothing where None.
        heartbeat: called every few seconds.
        by_operator: the program is one that whoever operates this worker put there. Others are run
            only where PROMOTE_COMMANDS lets them.

    Raises:
        CallError: retryable when it did not end in time, final when it cannot or must not be run.
        InputError: a secret is missing or cannot be used. No message holds a secret.
    """
    if not by_operator and load_settings().commands == "deny":
        problem = "this worker runs no programs for gates and steps (PROMOTE_COMMANDS is deny)"
        raise CallError(problem, retryable=False)
    known = Known(resolve_secret)
    environment = await _environment(request.env, known)
    kept = request.max_output + known.longest
    running = _Running(request, Output(kept), Output(kept), Input(stdin or b""))
    started = time.monotonic()
    seconds = request.timeout.total_seconds()
    try:
        async with beating(heartbeat), asyncio.timeout(seconds):
            exit_code = await running.until_its_end(environment)
    except TimeoutError:
        raise CallError(f"{request.command[0]} did not end within {seconds:g} s") from None
    finally:
        # A second cancellation does not keep the first from being carried out.
        await asyncio.shield(running.close())
    stdout, stderr = bytes(running.stdout.data), bytes(running.stderr.data)
    if exit_code == launch.CANNOT_RUN and stderr.startswith(launch.MARK.encode()):
        told = stderr.decode(errors="replace").strip().removeprefix(launch.MARK)
        raise CallError(f"cannot run {told}", retryable=False)
    return CommandResult(
        exit_code=exit_code,
        # Cut after hiding: of a secret that the cut goes through, the beginning would be left.
        stdout=known.hidden(stdout)[: request.max_output],
        stderr=known.hidden(stderr)[: request.max_output],
        truncated=max(running.stdout.size, running.stderr.size) > request.max_output,
        seconds=time.monotonic() - started,
    )


async def _environment(given: Mapping[str, str | SecretRef], known: Known) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {name: await known.value(value) for name, value in given.items()}
    for name, source in given.items():
        if isinstance(source, SecretRef) and "\0" in own[name]:
            raise InputError(source.secret, f"cannot be the variable {name}: holds a NUL character")
    return {**inherited, **own, **trace_variables()}


class _Running:
    """A program from its start to the end of all that it left behind."""

    def __init__(
        self, request: CommandRequest, stdout: Output, stderr: Output, stdin: Input
    ) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self._request = request
        self._stdin = stdin
        self._process: asyncio.subprocess.Process | None = None

    async def until_its_end(self, environment: Mapping[str, str]) -> int:
        """Start it and wait for its exit code."""
        self._process = await self._start(environment)
        return await self._process.wait()

    async def _start(self, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
        request = self._request
        limits = (request.cpu_seconds or 0, (request.memory_mib or 0) * 1024 * 1024)
        launcher = (sys.executable, "-I", "-S", str(Path(launch.__file__)), str(os.getpid()))
        ends: list[int] = []
        try:
            # Not asyncio's own pipes: with those, a program counts as running for as long as
            # anything that it started holds the other end open.
            for pipe in (self._stdin, self.stdout, self.stderr):
                ends.append(await pipe.open())
            return await asyncio.create_subprocess_exec(
                *(*launcher, *(str(limit) for limit in limits), *request.command),
                stdin=ends[0],
                stdout=ends[1],
                stderr=ends[2],
                env=dict(environment),
                cwd=request.cwd,
                start_new_session=True,
            )
        except OSError as error:
            where = "" if request.cwd is None else f" in {request.cwd}"
            told = f"cannot run {request.command[0]}{where}: {error.strerror}"
            raise CallError(told, retryable=error.errno in _PASSING) from None
        finally:
            for end in ends:
                os.close(end)

    async def close(self) -> None:
        """End whatever of it still runs: asked first, then killed."""
        if self._process is not None:
            if self._process.returncode is None:
                self._signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), GRACE_SECONDS)
            self._signal(signal.SIGKILL)
            await self._process.wait()
        self._stdin.close()
        for output in (self.stdout, self.stderr):
            await output.drain(_DRAIN_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        """To the whole of its process group."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
