"""File writes that are whole or absent, also after a crash or a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by a file with `data`; returns once it is on disk.

    To be called by one writer at a time, since the temporary file has a fixed name.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def link_atomically(path: Path, destination: Path) -> None:
    """Make `path` a symbolic link to `destination`, whatever link it was before."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(destination)
    temporary.replace(path)
    sync(path.parent)


def append_line_once(path: Path, line: bytes) -> None:
    """Append `line` unless it already is the last one; a line that was cut off is removed first.

    Args:
        line: without its end of line.
    """
    with path.open("a+b") as file:
        file.seek(0)
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            file.truncate(len(whole))
        if whole != line + b"\n" and not whole.endswith(b"\n" + line + b"\n"):
            file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)


def sync(path: Path) -> None:
    """Bring a file's content, or a directory's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """Bring a directory and all below it to disk. Symbolic links are not followed."""
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                sync(path)
        sync(Path(folder))
