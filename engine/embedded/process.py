"""A child process: its output in a log, its end noticed, and no way to outlive us."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from engine.embedded import tether
from engine.errors import ProcessTreeError

MAX_LOG_BYTES = 10 * 1024 * 1024
"""A log that is larger when its process starts is set aside as `<name>.log.1`."""

_TAIL_LINES = 15
_MAX_LINE_BYTES = 64 * 1024
_DRAIN_SECONDS = 1.0


@dataclass(frozen=True)
class ChildSpec:
    """How to run a child, and how to know that it is ready.

    Attributes:
        name: for people, and for the log's file name.
        command: an absolute path and its arguments.
        environment: all of the child's environment variables.
        ready_line: a line of its output that says it is ready.
        probe: returns once the child is ready; is cancelled when the child ends before.
        ready_timeout, stop_timeout: seconds.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    ready_line: str | None = None
    probe: Callable[[], Awaitable[None]] | None = None
    ready_timeout: float = 60.0
    stop_timeout: float = 20.0


class ChildProcess:
    """A running child. It leads a process group of its own, so that a Ctrl-C reaches us only."""

    def __init__(self, spec: ChildSpec, process: asyncio.subprocess.Process, output: _Output):
        self.spec = spec
        self.pid = process.pid
        self._process = process
        self._output = output

    @classmethod
    async def start(
        cls, spec: ChildSpec, log: Path, echo: Callable[[str], None] | None = None
    ) -> ChildProcess:
        """Start a child whose output goes to the end of `log`, and line by line to `echo`.

        Raises:
            ProcessTreeError: it cannot be started.
        """
        # Not asyncio's own pipe: with that, a child counts as running for as long as anything
        # that it started holds the other end open.
        try:
            output = _Output(_open_log(log), spec.ready_line, echo)
            reading, writing = os.pipe()
        except OSError as error:
            raise ProcessTreeError(f"{spec.name} cannot be started: {error}") from error
        try:
            loop = asyncio.get_running_loop()
            await loop.connect_read_pipe(lambda: output, os.fdopen(reading, "rb", 0))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid())),
                *spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(spec.environment),
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessTreeError(f"{spec.name} cannot be started: {error}") from error
        finally:
            os.close(writing)
        return cls(spec, process, output)

    async def wait(self) -> int:
        """Wait for the child's end: its exit code, or the negative number of a signal."""
        return await self._process.wait()

    async def wait_until_ready(self) -> None:
        """Wait until the child is ready.

        Raises:
            ProcessTreeError: it ended before, or was not ready in time; tells its last lines.
        """
        ready = asyncio.ensure_future(self._ready())
        ended = asyncio.ensure_future(self.wait())
        try:
            await asyncio.wait(
                {ready, ended},
                timeout=self.spec.ready_timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ended.done():
                await self._drain()
                if self._output.ready.is_set() and self.spec.probe is None:
                    return
                raise ProcessTreeError(
                    f"{self.spec.name} ended before it was ready ({ending(ended.result())})"
                    + self._last_words()
                )
            if not ready.done():
                raise ProcessTreeError(
                    f"{self.spec.name} was not ready after {self.spec.ready_timeout:g} seconds"
                    + self._last_words()
                )
            ready.result()
        finally:
            for task in (ready, ended):
                task.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)

    async def stop(self) -> None:
        """End the child and all of its process group: asked first, killed after `stop_timeout`."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), self.spec.stop_timeout)
        self.kill()
        await self.wait()
        await self._drain()
        self._output.close()

    def kill(self) -> None:
        """Kill what is left of the child's process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _ready(self) -> None:
        if self.spec.ready_line is not None:
            await self._output.ready.wait()
        if self.spec.probe is not None:
            await self.spec.probe()

    async def _drain(self) -> None:
        """Take in what the child printed at its end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._output.ended.wait(), _DRAIN_SECONDS)

    def _last_words(self) -> str:
        lines = "".join(f"\n  {line}" for line in self._output.tail)
        return f"; its last output:{lines}" if lines else "; it printed nothing"


def ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


class _Output(asyncio.Protocol):
    """Takes a child's output apart into lines."""

    def __init__(
        self, log: BinaryIO, ready_line: str | None, echo: Callable[[str], None] | None
    ) -> None:
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._log = log
        self._ready_line = ready_line
        self._echo = echo
        self._partial = b""
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # A full disk costs the log and not the child.
        with suppress(OSError):
            self._log.write(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._partial) > _MAX_LINE_BYTES:
            self._line(self._partial)
            self._partial = b""

    def connection_lost(self, error: Exception | None) -> None:
        if self._partial:
            self._line(self._partial)
        self._log.close()
        self.ended.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _line(self, content: bytes) -> None:
        line = content.decode("utf-8", "replace").rstrip("\r")
        self.tail.append(line)
        if line == self._ready_line:
            self.ready.set()
        if self._echo is not None:
            self._echo(line)


def _open_log(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab", buffering=0)
