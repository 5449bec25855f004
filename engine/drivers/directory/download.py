"""Bringing an artifact's bytes to the host, and only the right ones."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import httpx

from engine.actions.propagation import trace_headers
from engine.drivers.calls import http_call
from engine.drivers.directory.background import in_thread
from engine.drivers.directory.durable import sync
from engine.drivers.protocol import Called, unheard
from engine.errors import DigestMismatchError, DriverError

MAX_ARTIFACT_BYTES = 4 * 2**30
SCHEMES = ("file", "http", "https")

_CHUNK_BYTES = 2**20
_MAX_REDIRECTS = 5
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_TEMPORARY_STATUSES = frozenset({408, 425, 429})


class _Sink:
    """A partial file that knows how much went into it, and its digest."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._file: BinaryIO = path.open("wb")
        self._hash = hashlib.sha256()
        self._limit = limit
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._limit:
            raise DriverError(
                f"the artifact is larger than {self._limit} bytes, the most that is taken",
                retryable=False,
            )
        self._hash.update(chunk)
        self._file.write(chunk)

    def keep(self, destination: Path) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(destination)
        sync(destination.parent)

    def close(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


async def fetch(
    artifact: str,
    digest: str,
    destination: Path,
    *,
    limit: int = MAX_ARTIFACT_BYTES,
    called: Called = unheard,
) -> int:
    """Bring the bytes at the URI `artifact` to `destination`, which exists complete or not at all.

    Args:
        limit: the most bytes that are taken.
        called: told of each request; see `DriverContext.called`.

    Returns:
        The number of bytes.

    Raises:
        DigestMismatchError: the bytes are not those that `digest` names.
        DriverError: the bytes cannot be had; `retryable` says whether that may change.
    """
    scheme = urlsplit(artifact).scheme
    if scheme not in SCHEMES:
        takes = ", ".join(f"{name}:" for name in SCHEMES)
        raise DriverError(
            f"the directory driver takes {takes} artifacts, not {scheme or 'a bare path'}"
            f"{':' if scheme else ''} ones",
            retryable=False,
        )
    partial_file = destination.with_name(f"{destination.name}.part")
    sink = await in_thread(partial(_Sink, partial_file, limit))
    try:
        if scheme == "file":
            await in_thread(partial(_copy, _local_path(artifact), sink))
        else:
            await _stream(artifact, sink, limit, called)
        if sink.digest != digest:
            raise DigestMismatchError(
                f"{shown(artifact)} has digest {sink.digest}, but the release names {digest}"
            )
        await in_thread(partial(sink.keep, destination))
    finally:
        await in_thread(sink.close)
    return sink.size


def digest_of_file(file: BufferedReader) -> str:
    """The digest of all that `file` holds; leaves it at its start."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return f"sha256:{digest}"


def shown(artifact: str) -> str:
    """A URI fit for messages: without user, password, query and fragment, which may be secret."""
    parts = urlsplit(artifact)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _local_path(artifact: str) -> Path:
    parts = urlsplit(artifact)
    if parts.netloc not in ("", "localhost"):
        raise DriverError(
            f"{shown(artifact)} names another host; write file:///path", retryable=False
        )
    return Path(unquote(parts.path))


def _copy(source: Path, sink: _Sink) -> None:
    if not source.is_file():
        raise DriverError(f"there is no file {source} on this host", retryable=False)
    with source.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sink.write(chunk)


async def _stream(artifact: str, sink: _Sink, limit: int, called: Called) -> None:
    # The digest is over the bytes as they are stored, so the server is not to compress them.
    headers = {**trace_headers(), "Accept-Encoding": "identity"}
    url: str | httpx.URL = artifact
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT, headers=headers) as client:
            for _ in range(_MAX_REDIRECTS + 1):
                called(http_call(str(url), status=None))
                async with client.stream("GET", url) as response:
                    called(http_call(str(response.url), status=response.status_code))
                    if response.next_request is None:
                        await _receive(response, sink, limit)
                        return
                    url = _redirected(response.url, response.next_request.url)
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise DriverError(
            f"{shown(artifact)} cannot be fetched: {type(error).__name__}: {error}"
        ) from error
    except httpx.InvalidURL as error:
        raise DriverError(f"{shown(artifact)} is not a valid URL", retryable=False) from error
    raise DriverError(f"{shown(artifact)} redirects more than {_MAX_REDIRECTS} times")


def _redirected(origin: httpx.URL, target: httpx.URL) -> httpx.URL:
    if target.scheme != origin.scheme:
        raise DriverError(
            f"{shown(str(origin))} redirects from {origin.scheme}: to {target.scheme}:, which is "
            "not followed; name the final address in the release",
            retryable=False,
        )
    return target


async def _receive(response: httpx.Response, sink: _Sink, limit: int) -> None:
    where = shown(str(response.url))
    if response.status_code != httpx.codes.OK:
        status = response.status_code
        raise DriverError(
            f"{where} answered {status} {response.reason_phrase}".rstrip(),
            retryable=status >= 500 or status in _TEMPORARY_STATUSES,
        )
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise DriverError(
            f"{where} is {announced} bytes; the most that is taken is {limit}", retryable=False
        )
    async for chunk in response.aiter_raw(_CHUNK_BYTES):
        await in_thread(partial(sink.write, chunk))
