"""Reading archives: what an artifact holds, entry by entry, recognised by its content.

Tar (https://www.gnu.org/software/tar/manual/html_node/Standard.html), plain or compressed with
gzip or xz, and ZIP (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). A JAR or a wheel
is a ZIP file, so it is one here.
"""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, BinaryIO, cast

from engine.errors import DriverError

_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_MAX_READ_BYTES = 4 * 2**20
_MAX_LINK_BYTES = 4096
_ENCRYPTED = 0x1

# All that the standard library raises over malformed archives. A chain of extended tar headers is
# read by recursion, and the errors of the compression modules are not translated by `tarfile`.
_MALFORMED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
    NotImplementedError,
)


class ArchiveError(DriverError):
    """An archive cannot be read, or holds something that is not let onto a host."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class EntryKind(StrEnum):
    """What an entry of an archive becomes."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"


@dataclass(frozen=True)
class Entry:
    """One entry of an archive, as the archive has it: nothing in it is trusted.

    Attributes:
        size: bytes of a file's content, as announced.
        link: where a link points.
        content: a file's bytes, to be read before the next entry is asked for.
    """

    name: str
    kind: EntryKind
    size: int = 0
    executable: bool = False
    link: str = ""
    content: IO[bytes] | None = None


@contextmanager
def open_archive(file: BinaryIO, destination: Path) -> Iterator[Iterator[Entry] | None]:
    """The entries of the archive that `file` holds, or None when it is not an archive.

    Args:
        destination: the directory that the entries are meant for.

    Raises:
        ArchiveError: the archive is malformed; also while the entries are read.
    """
    with ExitStack() as stack:
        file.seek(0)
        magic = file.read(len(_XZ_MAGIC))
        file.seek(0)
        try:
            if magic.startswith(_ZIP_MAGICS):
                entries: Iterator[Entry] | None = _zip_entries(
                    stack.enter_context(zipfile.ZipFile(file))
                )
            else:
                tar = _open_tar(stack, file, magic)
                entries = None if tar is None else _tar_entries(tar, destination)
        except _MALFORMED as error:
            raise _malformed(error) from error
        yield None if entries is None else _translated(entries)


def _translated(entries: Iterator[Entry]) -> Iterator[Entry]:
    try:
        yield from entries
    except _MALFORMED as error:
        raise _malformed(error) from error


def read_content(content: IO[bytes], size: int) -> bytes:
    """Read at most `size` bytes of an entry's content.

    Raises:
        ArchiveError: the archive is malformed.
    """
    try:
        return content.read(size)
    except _MALFORMED as error:
        raise _malformed(error) from error


def _malformed(error: BaseException) -> ArchiveError:
    return ArchiveError(f"the archive cannot be unpacked: {type(error).__name__}: {error}")


class _Bounded(io.RawIOBase):
    """A stream without large single reads.

    `tarfile` reads an extended header at once, of whatever size the archive says it has; file
    content it reads in small pieces.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _MAX_READ_BYTES:
            raise ArchiveError(f"the archive has a header of {size} bytes, which is too large")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _open_tar(stack: ExitStack, file: BinaryIO, magic: bytes) -> tarfile.TarFile | None:
    stream: IO[bytes] = file
    if magic.startswith(_GZIP_MAGIC):
        stream = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=file)))
    elif magic == _XZ_MAGIC:
        stream = stack.enter_context(lzma.LZMAFile(file))  # noqa: SIM115 - the stack closes it
    try:
        tar = stack.enter_context(tarfile.TarFile(fileobj=_Bounded(stream)))
    except tarfile.ReadError:
        return None
    # Zeroes pass for a tar archive that is empty; a disk image may well begin with them.
    return None if tar.next() is None else tar


def _tar_entries(tar: tarfile.TarFile, destination: Path) -> Iterator[Entry]:
    for member in tar:
        _filter(member, destination)
        executable = bool(member.mode & stat.S_IXUSR)
        if member.isdir():
            yield Entry(member.name, EntryKind.DIRECTORY)
        elif member.issym():
            yield Entry(member.name, EntryKind.SYMLINK, link=member.linkname)
        elif member.islnk():
            yield Entry(member.name, EntryKind.HARDLINK, link=member.linkname)
        elif member.isreg() and (content := tar.extractfile(member)) is not None:
            yield Entry(member.name, EntryKind.FILE, member.size, executable, content=content)
        else:
            raise ArchiveError(f"{member.name!r} in the archive is neither file nor link")


def _filter(member: tarfile.TarInfo, destination: Path) -> None:
    """Reject devices, and names and links that lead out, as the standard library does it.

    What `unpack` checks holds without it too: the filter has had holes (CVE-2025-4517), there is
    none for zip archives, and Python before 3.11.4 has none at all.
    """
    if not hasattr(tarfile, "data_filter"):
        return
    try:
        tarfile.data_filter(member, str(destination))
    except tarfile.FilterError as error:
        raise ArchiveError(
            f"{member.name!r} in the archive leads out of the release, or is neither file nor "
            f"link ({type(error).__name__})"
        ) from error


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        if info.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{info.filename!r} in the archive is encrypted")
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if info.is_dir():
            yield Entry(info.filename, EntryKind.DIRECTORY)
        elif kind == stat.S_IFLNK:
            if info.file_size > _MAX_LINK_BYTES:
                raise ArchiveError(f"{info.filename!r} in the archive points too far")
            link = archive.read(info).decode()
            yield Entry(info.filename, EntryKind.SYMLINK, link=link)
        elif kind in (0, stat.S_IFREG):
            executable = bool(mode & stat.S_IXUSR)
            with archive.open(info) as content:
                yield Entry(
                    info.filename, EntryKind.FILE, info.file_size, executable, content=content
                )
        else:
            raise ArchiveError(f"{info.filename!r} in the archive is neither file nor link")
