from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.drivers.directory.archive import ArchiveError
from engine.drivers.directory.unpack import DEFAULT_LIMITS, Limits, unpack

from .support import tar_gz_of, tar_of

Member = tuple[str, bytes, bytes | str, int]


def member(
    name: str, kind: bytes = tarfile.REGTYPE, content: bytes | str = b"x", mode: int = 0o644
) -> Member:
    return name, kind, content, mode


def tar_with(*members: Member, mode: str = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]  # the mode varies
        for name, kind, content, permissions in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, permissions
            if isinstance(content, str):
                info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content) if kind == tarfile.REGTYPE else 0
                archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zip_with(*members: Member) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, kind, content, mode in members:
            info = zipfile.ZipInfo(name)
            file_type = stat.S_IFLNK if kind == tarfile.SYMTYPE else stat.S_IFREG
            info.external_attr = (file_type | mode) << 16
            archive.writestr(info, content)
    return packed.getvalue()


def unpacked(
    content: bytes, directory: Path, limits: Limits = DEFAULT_LIMITS, plain_name: str = "web.bin"
) -> Path:
    artifact = directory / "artifact"
    artifact.write_bytes(content)
    destination = directory / "release"
    destination.mkdir()
    with artifact.open("rb") as file:
        unpack(file, destination, plain_name=plain_name, limits=limits)
    return destination


GOOD = (
    member("bin/run", mode=0o4777, content=b"#!/bin/sh\n"),
    member("bin/start", tarfile.SYMTYPE, "run"),
    member("share/doc/notes", content=b"notes"),
    member("share/latest", tarfile.SYMTYPE, "doc/notes"),
    member("share/doc/program", tarfile.SYMTYPE, "../../bin/run"),
)


@pytest.mark.parametrize(
    "content",
    [
        tar_with(*GOOD),
        tar_with(*GOOD, mode="w:gz"),
        tar_with(*GOOD, mode="w:xz"),
        zip_with(*GOOD),
    ],
    ids=["tar", "tar.gz", "tar.xz", "zip"],
)
def test_each_kind_of_archive_gives_the_same_tree(tmp_path: Path, content: bytes) -> None:
    tree = unpacked(content, tmp_path)
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
    assert found == {name for name, *_ in GOOD}
    assert (tree / "bin/start").read_bytes() == b"#!/bin/sh\n"
    assert (tree / "share/latest").read_bytes() == b"notes"
    assert (tree / "share/doc/program").readlink() == Path("../../bin/run")
    assert stat.S_IMODE((tree / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((tree / "share/doc/notes").stat().st_mode) == 0o644


def test_a_hard_link_is_one(tmp_path: Path) -> None:
    content = tar_with(member("a", content=b"same"), member("d/b", tarfile.LNKTYPE, "a"))
    tree = unpacked(content, tmp_path)
    assert (tree / "a").samefile(tree / "d" / "b")


@pytest.mark.parametrize(
    "content",
    [b"\x7fELF program", gzip.compress(b"a log, no tar", mtime=0), b"", b"\0" * 4096, b"PK no zip"],
)
def test_what_is_no_archive_is_placed_as_itself(tmp_path: Path, content: bytes) -> None:
    tree = unpacked(content, tmp_path, plain_name="server")
    assert [path.name for path in tree.iterdir()] == ["server"]
    assert (tree / "server").read_bytes() == content
    assert os.access(tree / "server", os.X_OK)


UP_AND_OUT = "../" * 8
MALICIOUS = {
    "absolute": (member("/evil"),),
    "parent": (member("../evil"),),
    "parent inside": (member("a/../../evil"),),
    "symlink absolute": (member("a", tarfile.SYMTYPE, "/etc"),),
    "symlink out": (member("a", tarfile.SYMTYPE, "../outside"),),
    "symlink out from below": (member("d/a", tarfile.SYMTYPE, "../../outside"),),
    "symlink out by a detour": (member("a", tarfile.SYMTYPE, "d/../../outside"),),
    "through a symlink": (
        member("d/file"),
        member("a", tarfile.SYMTYPE, "d"),
        member("a/evil"),
    ),
    "onto a symlink": (member("a", tarfile.SYMTYPE, "b"), member("a")),
    "twice": (member("a"), member("a", content=b"other")),
    "file as directory": (member("a"), member("a/b")),
    "symlink chain": (
        member("d/e/f"),
        member("up", tarfile.SYMTYPE, "d/e"),
        member("up/out", tarfile.SYMTYPE, "../../.."),
    ),
    "symlink empty": (member("a", tarfile.SYMTYPE, ""),),
    "name too long": (member("/".join("n" * 200 for _ in range(10))),),
}
TAR_ONLY = {
    "hard link out": (member("a", tarfile.LNKTYPE, "../outside"),),
    "hard link absolute": (member("a", tarfile.LNKTYPE, "/etc/passwd"),),
    "hard link to nothing": (member("a", tarfile.LNKTYPE, "b"),),
    "hard link to a symlink": (
        member("d/file"),
        member("s", tarfile.SYMTYPE, "d/file"),
        member("a", tarfile.LNKTYPE, "s"),
    ),
    "character device": (member("a", tarfile.CHRTYPE, ""),),
    "block device": (member("a", tarfile.BLKTYPE, ""),),
    "pipe": (member("a", tarfile.FIFOTYPE, ""),),
}


def everything_in(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


@pytest.mark.parametrize(
    "content",
    [
        *(pytest.param(tar_with(*m), id=f"tar {name}") for name, m in MALICIOUS.items()),
        *(pytest.param(tar_with(*m), id=f"tar {name}") for name, m in TAR_ONLY.items()),
        *(
            pytest.param(zip_with(*m), id=f"zip {name}")
            for name, m in MALICIOUS.items()
            if name not in ("twice", "onto a symlink")
        ),
    ],
)
def test_an_archive_that_reaches_out_or_is_ambiguous_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    (tmp_path / "outside").write_text("untouched")
    with pytest.raises(ArchiveError) as caught:
        unpacked(content, inside)
    assert not caught.value.retryable
    outside = {
        name for name in everything_in(tmp_path) if not name.startswith("deep/inside/release/")
    }
    assert outside == {"outside", "deep", "deep/inside", "deep/inside/artifact"} | {
        "deep/inside/release"
    }
    assert (tmp_path / "outside").read_text() == "untouched"


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


NOISE = os.urandom(20_000)


TAR_GZ = tar_gz_of({"a": NOISE, "b": NOISE})
TAR_XZ = lzma.compress(tar_of({"a": NOISE, "b": NOISE}))
ZIP = zip_with(member("a", content=NOISE), member("b", content=NOISE))


@pytest.mark.parametrize(
    "content",
    [cut(TAR_GZ), cut(TAR_XZ), flipped(TAR_XZ), cut(ZIP), flipped(ZIP)],
    ids=["tar.gz cut", "tar.xz cut", "tar.xz flipped", "zip cut", "zip flipped"],
)
def test_a_damaged_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ArchiveError):
        unpacked(content, tmp_path)


def test_a_tar_archive_cut_off_within_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError):
        unpacked(tar_of({"a": NOISE})[:10_000], tmp_path)


@pytest.mark.parametrize("pack", [tar_with, zip_with])
def test_too_many_bytes_are_refused_before_they_are_written(
    tmp_path: Path, pack: Callable[..., bytes]
) -> None:
    content = pack(member("a", content=b"\0" * 600), member("b", content=b"\0" * 600))
    with pytest.raises(ArchiveError, match="more than 1000 bytes"):
        unpacked(content, tmp_path, Limits(entries=10, total_bytes=1000))
    assert everything_in(tmp_path / "release") <= {"a"}


@pytest.mark.parametrize("pack", [tar_with, zip_with])
def test_too_many_entries_are_refused(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    content = pack(*(member(f"file-{number}") for number in range(11)))
    with pytest.raises(ArchiveError, match="more than 10 entries"):
        unpacked(content, tmp_path, Limits(entries=10, total_bytes=1000))


def test_a_header_that_is_a_bomb_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 2**33
    with pytest.raises(ArchiveError, match="header of 8589934592 bytes"):
        unpacked(gzip.compress(info.tobuf(tarfile.GNU_FORMAT)), tmp_path)


def test_a_chain_of_headers_without_end_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 0
    with pytest.raises(ArchiveError):
        unpacked(info.tobuf(tarfile.USTAR_FORMAT) * 5000, tmp_path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_with(member("a")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    with pytest.raises(ArchiveError, match="encrypted"):
        unpacked(bytes(content), tmp_path)


def test_an_archive_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds no file"):
        unpacked(tar_with(member("d", tarfile.DIRTYPE, "")), tmp_path)


SEGMENTS = st.sampled_from(["a", "b", "c", "..", ".", ""])
PATHS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)
MEMBERS = st.lists(
    st.tuples(
        PATHS,
        st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE]),
        PATHS,
    ),
    min_size=1,
    max_size=8,
)


@given(MEMBERS)
def test_no_combination_of_entries_writes_or_points_outside(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str]]
) -> None:
    directory = tmp_path_factory.mktemp("any")
    content = tar_with(
        *(
            member(name, kind, b"x" if kind in (tarfile.REGTYPE, tarfile.DIRTYPE) else link)
            for name, kind, link in members
        )
    )
    with suppress(ArchiveError):
        unpacked(content, directory)
    release = directory / "release"
    assert {path.name for path in directory.iterdir()} == {"artifact", "release"}
    for path in release.rglob("*"):
        if path.is_symlink():
            end = Path(os.path.realpath(path))
            assert end == release or release in end.parents
