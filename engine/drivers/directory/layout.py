"""Where things lie in a target's directory, and the lock on it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

LOCK_POLL_SECONDS = 0.05


def hex_of(digest: str) -> str:
    """The hexadecimal part of `sha256:<hex>`."""
    return digest.removeprefix("sha256:")


@dataclass(frozen=True)
class TargetDirectory:
    """The directory of one target."""

    path: Path

    @classmethod
    def of(cls, root: Path, target: str) -> TargetDirectory:
        """The directory of the target called `target`, below an agent's root."""
        return cls(root.absolute() / target)

    @property
    def downloads(self) -> Path:
        """Fetched artifacts that are not unpacked yet."""
        return self.path / "downloads"

    @property
    def releases(self) -> Path:
        """Unpacked artifacts."""
        return self.path / "releases"

    @property
    def current(self) -> Path:
        """The link to the active release."""
        return self.path / "current"

    @property
    def journal(self) -> Path:
        """The list of switches."""
        return self.path / "switches.jsonl"

    @property
    def state(self) -> Path:
        """What the target runs."""
        return self.path / "state.json"

    @property
    def service(self) -> Path:
        """What was started, and as which process."""
        return self.path / "service.json"

    @property
    def service_log(self) -> Path:
        """The service's output."""
        return self.path / "service.log"

    @property
    def restart_log(self) -> Path:
        """The output of the last restart command."""
        return self.path / "restart.log"

    def download(self, digest: str) -> Path:
        """Where the verified bytes of `digest` lie."""
        return self.downloads / hex_of(digest)

    def release(self, digest: str) -> Path:
        """Where `digest` lies unpacked."""
        return self.releases / hex_of(digest)

    def active_digest(self) -> str | None:
        """The digest that `current` points at; None when it points at no release."""
        try:
            return f"sha256:{self.current.readlink().name}"
        except FileNotFoundError:
            return None

    def make(self) -> None:
        """Make the directories that do not exist yet."""
        self.downloads.mkdir(parents=True, exist_ok=True)
        self.releases.mkdir(exist_ok=True)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold the target alone, against other tasks and other processes.

        The lock ends with the process that holds it, so none is left behind by a crash.
        """
        self.make()
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # Another process may hold the lock, so there is no event to wait for.
            while not _try_lock(descriptor):  # noqa: ASYNC110 - as said above
                await asyncio.sleep(LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
