"""How other commands find a running `promote dev` without being told its address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pydantic import ValidationError

from engine.home.lock import is_held
from engine.model.base import Value

FILE_NAME = "dev.json"


class DevAddress(Value):
    """Where a running system is.

    Attributes:
        address: host and port of the Temporal server.
        ui: URL of the Temporal UI.
        pid: the supervisor's process.
    """

    address: str
    ui: str
    namespace: str = "default"
    pid: int


def running(home: Path) -> DevAddress | None:
    """The system that runs on `home`; None when none does, also when one left its file behind."""
    try:
        found = DevAddress.model_validate_json((home / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
    # Process ids are used again, so that the id alone proves nothing.
    return found if psutil.pid_exists(found.pid) and is_held(home) else None


@contextmanager
def announced(home: Path, address: DevAddress) -> Iterator[None]:
    """Let others find `address` while the block runs."""
    file, draft = home / FILE_NAME, home / f"{FILE_NAME}.{os.getpid()}"
    draft.write_text(address.model_dump_json(indent=2) + "\n", encoding="utf-8")
    draft.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
