"""Files that hold a private key: only their owner may read them, and none is ever overwritten."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.errors import InputError

_READ_LIMIT = 64 * 1024


def read_private(path: Path, field: str, wanted: str) -> bytes:
    """The content of a private key's file.

    Args:
        field: the option or variable that named the file, for messages.
        wanted: what to give instead.

    Raises:
        InputError: it cannot be read, is no regular file, or others than its owner may read it.
    """
    try:
        # Non-blocking, so that a named pipe is refused below instead of waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check(os.fstat(descriptor), path, field, wanted)
            return os.read(descriptor, _READ_LIMIT)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(field, f"{path} cannot be read: {error.strerror}", wanted) from error


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Bring `data` to the disk and then to a name that nothing has yet.

    Of several processes that make the same file the first wins.

    Raises:
        FileExistsError: there is such a file.
        OSError: it cannot be written.
    """
    # A link either makes the name or fails because it exists, and the file is complete before.
    _write(path, data, mode, lambda temporary: path.hardlink_to(temporary))


def replace(path: Path, data: bytes, mode: int) -> None:
    """Bring `data` to the disk and then to its name, in place of what was there.

    Raises:
        OSError: it cannot be written.
    """
    _write(path, data, mode, lambda temporary: temporary.replace(path))


def _check(status: os.stat_result, path: Path, field: str, wanted: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InputError(field, f"{path} is not a regular file", wanted)
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(
            field,
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, which opens the private key to "
            "others than its owner",
            f"run chmod 600 {shlex.quote(str(path))}",
        )


def _write(path: Path, data: bytes, mode: int, give_name: Callable[[Path], object]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        give_name(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
