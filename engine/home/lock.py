"""One `promote dev` at a time on one home directory.

The lock is the kernel's (`flock`), so it is gone with the process that held it, however that ended.
Its file stays: removing it would let a third process lock a new file beside the old one.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.errors import InputError

FILE_NAME = "dev.lock"

_ATTEMPTS = 10
_PAUSE_SECONDS = 0.05


@asynccontextmanager
async def exclusive(home: Path) -> AsyncIterator[None]:
    """Hold the lock of `home` while the block runs.

    Raises:
        InputError: another process holds it, or the directory cannot be written.
    """
    try:
        descriptor = os.open(home / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(
            "PROMOTE_HOME", f"{home} cannot be used: {error.strerror}", "choose another directory"
        ) from error
    try:
        if not await _acquire(descriptor):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise InputError(
                "PROMOTE_HOME",
                f"{home} is in use by another `promote dev` (process {holder or 'unknown'})",
                "stop that one first, or choose another directory",
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_held(home: Path) -> bool:
    """Whether some process holds the lock of `home`."""
    try:
        descriptor = os.open(home / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


async def _acquire(descriptor: int) -> bool:
    # Several tries, because `is_held` takes the lock for a moment to find out.
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return True
    return False
