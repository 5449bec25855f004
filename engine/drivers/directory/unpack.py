"""Writing what an artifact holds into a directory, and nothing outside of it.

The rules hold without trust in the archive or in a library:

- A name is relative and has no `..`; no entry comes twice, except a directory.
- Nothing is written through a symbolic link: each parent of an entry is a directory made here.
- A symbolic link is relative, and goes up at its start only, at most to the root. Since its own
  parents are true directories, it cannot lead out, and neither can a chain of such links.
- A hard link points at a file that was written here.
- Files are created anew, and get mode 0644 or 0755; owners and all other bits are ignored.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from engine.drivers.directory.archive import (
    ArchiveError,
    Entry,
    EntryKind,
    open_archive,
    read_content,
)

_CHUNK_BYTES = 2**20
_MAX_NAME_BYTES = 1024
_ROOT = PurePosixPath()


@dataclass(frozen=True)
class Limits:
    """The most that one artifact may unpack to."""

    entries: int = 100_000
    total_bytes: int = 16 * 2**30


DEFAULT_LIMITS = Limits()


def unpack(
    artifact: BinaryIO, destination: Path, *, plain_name: str, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Unpack an artifact into the existing, empty directory `destination`.

    Args:
        plain_name: the name that an artifact gets which is not an archive but the thing itself.

    Raises:
        ArchiveError: the archive is malformed, too large, or breaks one of the rules above.
    """
    with open_archive(artifact, destination) as entries:
        if entries is None:
            artifact.seek(0)
            with (destination / plain_name).open("xb") as file:
                shutil.copyfileobj(artifact, file, _CHUNK_BYTES)
            # Whether it is a program is not known, and a program that cannot run is worse than a
            # document that could.
            (destination / plain_name).chmod(0o755)
            return
        tree = _Tree(destination, limits)
        for entry in entries:
            tree.add(entry)
        if not tree.has_files:
            raise ArchiveError("the archive holds no file")


class _Tree:
    """The tree as written so far. Its own record, not the disk, says what a name is."""

    def __init__(self, root: Path, limits: Limits) -> None:
        self._root = root
        self._limits = limits
        self._kinds: dict[PurePosixPath, EntryKind] = {_ROOT: EntryKind.DIRECTORY}
        self._entries = 0
        self._bytes = 0

    @property
    def has_files(self) -> bool:
        return any(kind is not EntryKind.DIRECTORY for kind in self._kinds.values())

    def add(self, entry: Entry) -> None:
        self._count(entry)
        name = _checked_name(entry.name)
        if entry.kind is EntryKind.DIRECTORY:
            self._make_directory(name)
            return
        if name in self._kinds:
            raise ArchiveError(f"{entry.name!r} is in the archive more than once")
        self._make_directory(name.parent)
        path = self._root / name
        if entry.kind is EntryKind.SYMLINK:
            path.symlink_to(_checked_link(name, entry.link))
        elif entry.kind is EntryKind.HARDLINK:
            path.hardlink_to(self._root / self._checked_file(entry))
        else:
            self._write_file(path, entry)
        self._kinds[name] = entry.kind

    def _count(self, entry: Entry) -> None:
        self._entries += 1
        self._bytes += entry.size
        if self._entries > self._limits.entries:
            raise ArchiveError(
                f"the archive has more than {self._limits.entries} entries, the most that is taken"
            )
        if self._bytes > self._limits.total_bytes:
            raise ArchiveError(
                f"the archive unpacks to more than {self._limits.total_bytes} bytes, the most that "
                "is taken"
            )

    def _make_directory(self, name: PurePosixPath) -> None:
        for folder in (*reversed(name.parents), name):
            kind = self._kinds.get(folder)
            if kind is None:
                (self._root / folder).mkdir(mode=0o755)
                self._kinds[folder] = EntryKind.DIRECTORY
            elif kind is not EntryKind.DIRECTORY:
                raise ArchiveError(f"{str(folder)!r} is a {kind} and a directory in the archive")

    def _checked_file(self, entry: Entry) -> PurePosixPath:
        target = _checked_name(entry.link)
        if self._kinds.get(target) not in (EntryKind.FILE, EntryKind.HARDLINK):
            raise ArchiveError(
                f"{entry.name!r} is a hard link to {entry.link!r}, which is no file before it in "
                "the archive"
            )
        return target

    def _write_file(self, path: Path, entry: Entry) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o755 if entry.executable else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            written = _copy(entry.content, file, entry.size) if entry.content else 0
        if written != entry.size:
            raise ArchiveError(f"{entry.name!r} in the archive is cut off")


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> int:
    written = 0
    while written < size and (chunk := read_content(source, min(_CHUNK_BYTES, size - written))):
        target.write(chunk)
        written += len(chunk)
    return written


def _checked_path(text: str) -> PurePosixPath:
    try:
        size = len(os.fsencode(text))
    except UnicodeEncodeError as error:
        raise ArchiveError(f"{text!r} in the archive is not a file name") from error
    if not 0 < size <= _MAX_NAME_BYTES or "\0" in text:
        raise ArchiveError(f"{text[:80]!r} in the archive is not a file name")
    return PurePosixPath(text)


def _checked_name(name: str) -> PurePosixPath:
    path = _checked_path(name)
    if path.is_absolute() or ".." in path.parts:
        raise ArchiveError(f"{name!r} in the archive leads out of the release")
    return path


def _checked_link(name: PurePosixPath, link: str) -> PurePosixPath:
    target = _checked_path(link)
    ups = 0
    while ups < len(target.parts) and target.parts[ups] == "..":
        ups += 1
    if target.is_absolute() or ups > len(name.parent.parts) or ".." in target.parts[ups:]:
        raise ArchiveError(f"{str(name)!r} points to {link!r}, out of the release")
    return target
