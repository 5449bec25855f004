"""Processes that outlive the agent: starting them, knowing them again, stopping them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.errors import DriverError
from engine.model.base import Value

STOP_GRACE_SECONDS = 10.0

_KILL_SECONDS = 5.0
_WORD_SECONDS = 10.0
_POLL_SECONDS = 0.02
_SESSION_ROUNDS = 10
_TICK_SECONDS = 0.005
_LAUNCHER = Path(__file__).with_name("launch.py")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_INHERITED = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER")


class ProcessIdentity(Value):
    """One process, told apart from any later one that gets the same process id.

    Attributes:
        create_time: seconds since the epoch, by the clock as it then stood.
        uptime_at_start: seconds from the host's boot to the start of the process; unlike
            `create_time` it stays the same when the clock is set.
        boot_id: the host's boot, where the system tells; else empty.
    """

    pid: int
    create_time: float
    uptime_at_start: float
    boot_id: str


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a running process; None when there is none with this id.

    Raises:
        DriverError: the system does not tell.
    """
    try:
        while True:
            booted = psutil.boot_time()
            process = psutil.Process(pid)
            created = process.create_time()
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            if psutil.boot_time() == booted:
                break
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as error:
        raise DriverError(f"the system tells nothing about process {pid}") from error
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    return ProcessIdentity(
        pid=pid, create_time=created, uptime_at_start=created - booted, boot_id=boot_id
    )


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether exactly this process runs."""
    now = identify(identity.pid)
    if now is None:
        return False
    if now.boot_id and identity.boot_id:
        same_start = abs(now.uptime_at_start - identity.uptime_at_start) < _TICK_SECONDS
        return now.boot_id == identity.boot_id and same_start
    return abs(now.create_time - identity.create_time) < _TICK_SECONDS


def has_become(identity: ProcessIdentity) -> bool:
    """Whether exactly this process runs and is what it was meant to become.

    One that waits for its starter's word runs only until it notices that the starter has died.
    It is given a moment for that, so the caller must know that no starter is at work.
    """
    deadline = time.monotonic() + _WORD_SECONDS
    while is_alive(identity):
        if not _is_waiting(identity.pid):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return False


def _is_waiting(pid: int) -> bool:
    try:
        return str(_LAUNCHER) in psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def inherited_environment() -> dict[str, str]:
    """The variables that a started process takes over from the agent.

    The others stay behind, because the agent's environment holds credentials.
    """
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


@dataclass(frozen=True)
class Launch:
    """A process that exists and waits to become what it is meant to be."""

    identity: ProcessIdentity
    _go: int
    _say: int

    def go(self) -> None:
        """Let the process become its command.

        Raises:
            DriverError: the command cannot be run.
        """
        # The process may have been killed while it waited.
        with suppress(BrokenPipeError):
            os.write(self._go, b"1")
        problem = _read_to_end(self._say)
        if problem:
            raise DriverError(f"cannot start the service: {problem.decode()}", retryable=False)


@contextmanager
def prepare(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path
) -> Iterator[Launch]:
    """A detached process that becomes `command` at `Launch.go`.

    It leads a session of its own, belongs to init, writes to the end of `log`, and has no other
    open file. When the block ends without `go`, or this program dies, it ends too.

    Raises:
        DriverError: no process can be made.
    """
    go_read, go_write = os.pipe()
    say_read, say_write = os.pipe()
    try:
        try:
            with _appending(log) as output:
                launcher = [sys.executable, "-I", "-S", str(_LAUNCHER)]
                subprocess.run(  # noqa: S603 - the operator's own command, without a shell
                    [*launcher, str(go_read), str(say_write), *command],
                    cwd=cwd,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=(go_read, say_write),
                    check=True,
                )
        except subprocess.CalledProcessError as error:
            raise DriverError(f"cannot make a process: exit code {error.returncode}") from error
        finally:
            os.close(go_read)
            os.close(say_write)
        identity = identify(int(_read_line(say_read) or b"-1"))
        if identity is None:
            raise DriverError("the service's process ended before it started")
        yield Launch(identity, go_write, say_read)
    finally:
        os.close(go_write)
        os.close(say_read)


def stop(identity: ProcessIdentity, grace: float = STOP_GRACE_SECONDS) -> bool:
    """End a process: SIGTERM first, SIGKILL when `grace` seconds have passed.

    What is left of its session then, such as its children, is killed. A process that merely has
    the same id now is left alone.

    Returns:
        Whether it ran.

    Raises:
        DriverError: it cannot be ended.
    """
    if not is_alive(identity):
        return False
    try:
        process = psutil.Process(identity.pid)
        # psutil compares the start time once more before it sends a signal.
        process.terminate()
        if not _await_end(identity, grace):
            process.kill()
            if not _await_end(identity, _KILL_SECONDS):
                raise DriverError(f"process {identity.pid} does not end, not even by SIGKILL")
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied as error:
        raise DriverError(
            f"process {identity.pid} belongs to another user", retryable=False
        ) from error
    _end_session(identity.pid)
    return True


def _end_session(session: int) -> None:
    for _ in range(_SESSION_ROUNDS):
        # While a session has members the system gives its id to no new process. A process that
        # has the id leads a session of its own, so there is nothing left of the old one.
        if identify(session) is not None:
            return
        members = [process for process in psutil.process_iter() if _is_in(session, process)]
        if not members:
            return
        for member in members:
            with suppress(psutil.Error):
                member.kill()
        time.sleep(_POLL_SECONDS)


def _is_in(session: int, process: psutil.Process) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False


def _await_end(identity: ProcessIdentity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


@contextmanager
def _appending(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_line(descriptor: int) -> bytes:
    line = b""
    while (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
        line += byte
    return line


def _read_to_end(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 4096):
        parts.append(part)
    return b"".join(parts)
