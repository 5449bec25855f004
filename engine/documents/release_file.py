"""Release files: what `promote release register -f` reads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from engine.documents.source import Location, Problem, SourceDocument
from engine.documents.yaml import read
from engine.model.canonical import digest_of_bytes
from engine.model.identity import release_id, tenant_id
from engine.model.release import (
    Attachment,
    AttachmentDocument,
    Component,
    ComponentDocument,
    Release,
    ReleaseDocument,
)

MAX_ATTACHMENT_BYTES = 32 * 1024 * 1024
"""The largest attachment that is read; its bytes are stored with the release."""

REMOTE_SCHEMES = ("https", "http", "oci")

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):.*", re.DOTALL)
_OCI_DIGEST = re.compile(r".*@(?P<digest>sha256:[0-9a-f]{64})")

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class LoadedRelease:
    """A release as read from its file.

    Attributes:
        tenant: the tenant's name.
        attachments: the bytes of every attachment by their digest.
    """

    tenant: str
    release: Release
    attachments: dict[str, bytes] = field(repr=False)


def load_release(path: Path) -> LoadedRelease:
    """Read a release file, the artifacts that it names on this machine, and its attachments.

    A local artifact's path is taken relative to the file and becomes an absolute `file:` URI
    (https://www.rfc-editor.org/rfc/rfc8089). Its digest is computed, and compared when the file
    gives one. A remote artifact isn't fetched; the agent that deploys it compares its digest.

    Raises:
        InputError: names every line that is wrong, also missing files and digests that differ.
    """
    source = read(path)
    document = source.validate(ReleaseDocument)
    reader = _Reader(source, path.absolute().parent)
    components = [reader.component(i, each) for i, each in enumerate(document.components)]
    if reader.problems:
        raise source.error(reader.problems)
    tenant = tenant_id(document.tenant)
    release = Release(
        id=release_id(tenant, document.name, document.version),
        tenant_id=tenant,
        name=document.name,
        version=document.version,
        components=tuple(each for each in components if each is not None),
        committers=tuple(dict.fromkeys(document.committers)),
    )
    return LoadedRelease(document.tenant, release, reader.attachments)


class _Invalid(Exception):  # noqa: N818 - never leaves this module: carries a problem to _Reader.
    def __init__(self, key: str, problem: str, remedy: str) -> None:
        self.key, self.problem, self.remedy = key, problem, remedy


class _Reader:
    """Resolves the components of one file and collects everything that is wrong."""

    def __init__(self, source: SourceDocument, base: Path) -> None:
        self.problems: list[Problem] = []
        self.attachments: dict[str, bytes] = {}
        self._base = base
        self._names: set[str] = set()

    def component(self, index: int, document: ComponentDocument) -> Component | None:
        location: Location = ("components", index)
        if document.name in self._names:
            problem = f"{document.name!r} is the name of an earlier component"
            self.problems.append(Problem((*location, "name"), problem, "give it another name"))
        self._names.add(document.name)
        resolved = self._attempt(location, partial(_resolve, document, self._base))
        attachments: dict[str, Attachment] = {}
        for i, each in enumerate(document.attachments):
            inner = (*location, "attachments", i)
            attachment = self._attempt(inner, partial(self._attachment, each))
            if attachment is None:
                continue
            if attachment.name in attachments:
                problem = f"an earlier attachment is also called {attachment.name!r}"
                self.problems.append(Problem((*inner, "path"), problem, "rename the file"))
            attachments[attachment.name] = attachment
        if resolved is None:
            return None
        artifact, digest = resolved
        return Component(
            name=document.name,
            artifact=artifact,
            digest=digest,
            attachments=tuple(attachments.values()),
        )

    def _attachment(self, document: AttachmentDocument) -> Attachment:
        path = _existing(self._base / document.path, "path")
        try:
            with path.open("rb") as file:
                content = file.read(MAX_ATTACHMENT_BYTES + 1)
        except OSError as error:
            raise _unreadable("path", path, error) from error
        if len(content) > MAX_ATTACHMENT_BYTES:
            limit = MAX_ATTACHMENT_BYTES // (1024 * 1024)
            raise _Invalid("path", f"{path.name} is larger than {limit} MiB", "attach a summary")
        digest = digest_of_bytes(content)
        self.attachments[digest] = content
        return Attachment(name=path.name, format=document.format, digest=digest, size=len(content))

    def _attempt(self, location: Location, work: Callable[[], ResultT]) -> ResultT | None:
        try:
            return work()
        except _Invalid as error:
            problem = Problem((*location, error.key), error.problem, error.remedy)
            self.problems.append(problem)
            return None


def _resolve(document: ComponentDocument, base: Path) -> tuple[str, str]:
    """The artifact's URI and digest."""
    matched = _SCHEME.fullmatch(document.artifact)
    scheme = matched["scheme"].lower() if matched else "file"
    if scheme in REMOTE_SCHEMES:
        return document.artifact, _remote_digest(document)
    if scheme != "file":
        raise _Invalid(
            "artifact",
            f"has the unknown scheme {scheme!r}",
            f"use a path, or one of file:, {', '.join(f'{each}:' for each in REMOTE_SCHEMES)}",
        )
    path = _existing(base / (_file_path(document.artifact) if matched else document.artifact))
    try:
        with path.open("rb") as file:
            computed = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise _unreadable("artifact", path, error) from error
    if document.digest not in (None, computed):
        raise _Invalid(
            "digest",
            f"{path.name} has the digest {computed}",
            "correct it, leave it out to have it computed, or restore the file",
        )
    return path.as_uri(), computed


def _remote_digest(document: ComponentDocument) -> str:
    try:
        parts = urlsplit(document.artifact)
        has_host, has_login = bool(parts.hostname), parts.username is not None
    except ValueError:
        has_host, has_login = False, False
    if not has_host:
        raise _Invalid("artifact", "is a URI without a host", "write scheme://host/path")
    if has_login:
        # The URI goes into histories, spans and evidence, which are no place for a password.
        raise _Invalid(
            "artifact", "contains a user name or password", "take it out and give it to the agent"
        )
    pinned = _OCI_DIGEST.fullmatch(document.artifact) if parts.scheme == "oci" else None
    if pinned and document.digest not in (None, pinned["digest"]):
        raise _Invalid("digest", "differs from the one in the artifact's reference", "keep one")
    digest = pinned["digest"] if pinned else document.digest
    if digest is None:
        raise _Invalid(
            "digest", "is missing", "add it; only a local file's digest can be computed here"
        )
    return digest


def _file_path(uri: str) -> str:
    remedy = "write file:///path/to/file"
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise _Invalid("artifact", "is not a URI", remedy) from error
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise _Invalid("artifact", "is not the URI of a local file", remedy)
    return unquote(parts.path)


def _existing(path: Path, key: str = "artifact") -> Path:
    try:
        resolved = path.resolve()
        exists, regular = resolved.exists(), resolved.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        # An over-long name, a NUL byte, or a loop of symbolic links.
        raise _Invalid(key, "is not a usable path", "check it") from error
    if not exists:
        raise _Invalid(key, f"there is no file {resolved}", "check the path, or make it first")
    if not regular:
        raise _Invalid(key, f"{resolved} is not a regular file", "pack a directory as .tar.gz")
    return resolved


def _unreadable(key: str, path: Path, error: OSError) -> _Invalid:
    return _Invalid(key, f"{path} cannot be read: {error.strerror}", "check its permissions")
