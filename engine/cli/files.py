"""Files that options name."""

from __future__ import annotations

from pathlib import Path

from engine.errors import InputError


def read_bytes(option: str, path: Path) -> bytes:
    """The file's content.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(option, f"{path} cannot be read: {error.strerror}") from error


def write_bytes(option: str, path: Path, content: bytes) -> None:
    """Write the file's whole content.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(option, f"{path} cannot be written: {error.strerror}") from error
