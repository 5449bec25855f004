"""Secrets by reference: resolved where they are used, never written into a configuration."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from engine.errors import InputError

MAX_BYTES = 64 * 1024
"""The largest secret."""


async def resolve(reference: str) -> str:
    """The secret that `env:NAME` or `file:PATH` stands for; a file's last line end is left out.

    Raises:
        InputError: there is none, or the reference is none. The message never holds the secret.
    """
    scheme, _, name = reference.partition(":")
    match scheme:
        case "env" if name:
            value = os.environ.get(name)
            if value is None:
                raise InputError(reference, "the variable is not set", f"set {name} for the worker")
            return value
        case "file" if name:
            return await asyncio.to_thread(_read, reference, Path(name))
    raise InputError("secret", "is no reference", "write env:NAME or file:PATH")


def _read(reference: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(reference, f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise InputError(reference, f"is larger than {MAX_BYTES // 1024} KiB")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise InputError(reference, "is not UTF-8 text") from error
