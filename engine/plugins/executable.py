"""Plugins that are programs: one process a call, JSON in, JSON out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pydantic_core
from pydantic import Field, ValidationError, model_validator

from engine.actions.command import CommandRequest, CommandResult, ending
from engine.actions.command import run as run_command
from engine.errors import CallError, InputError, PluginError
from engine.model.base import Document, Json
from engine.model.problem import merged, problems_of
from engine.plugins.protocol import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES, Call, Refusal

_log = logging.getLogger(__name__)

_TOLD = 500
"""Characters of a program's stderr that are told."""


class _Answer(Document):
    """What a program writes: a result, or why there is none."""

    result: dict[str, Json] | None = None
    error: Refusal | None = Field(default=None)

    @model_validator(mode="after")
    def _is_one_of_both(self) -> _Answer:
        if (self.result is None) == (self.error is None):
            raise ValueError("needs either `result` or `error`")
        return self


class Executable:
    """A program at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def digest(self) -> str:
        """SHA-256 of the file as it is now, `sha256:…`.

        Raises:
            InputError: it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        except OSError as error:
            raise InputError("plugin", f"cannot read {self.path}: {error.strerror}") from error

    async def ask(
        self, call: Call, limit: timedelta, heartbeat: Callable[[], None]
    ) -> dict[str, Json]:
        """Carry out one call in a process of its own.

        Raises:
            PluginError: there is no usable answer. The message may hold what the program wrote.
        """
        request = json.dumps(call.model_dump(mode="json")).encode()
        if len(request) > MAX_REQUEST_BYTES:
            size = MAX_REQUEST_BYTES // 1024
            raise PluginError(f"the call itself is larger than {size} KiB", retryable=False)
        return _read(await self.run(request, limit, heartbeat))

    async def run(
        self, stdin: bytes, limit: timedelta, heartbeat: Callable[[], None]
    ) -> CommandResult:
        """Run the program on whatever input.

        Raises:
            PluginError: it could not be run, or took too long.
        """
        request = CommandRequest(
            command=(str(self.path),), timeout=limit, max_output=MAX_ANSWER_BYTES
        )
        try:
            result = await run_command(
                request,
                resolve_secret=_no_secret,
                stdin=stdin,
                heartbeat=heartbeat,
                by_operator=True,
            )
        except CallError as error:
            raise PluginError(str(error), retryable=error.retryable) from error
        if result.stderr:
            _log.debug("plugin %s says: %s", self.path.name, _end_of(result.stderr))
        return result


def _read(result: CommandResult) -> dict[str, Json]:
    if result.exit_code != 0:
        told = _end_of(result.stderr)
        raise PluginError(f"{ending(result.exit_code)}{f': {told}' if told else ''}")
    if result.truncated:
        size = MAX_ANSWER_BYTES // 1024
        raise PluginError(f"wrote more than {size} KiB to stdout or stderr", retryable=False)
    answer = parse(result.stdout)
    if answer.error is not None:
        raise refused(answer.error)
    assert answer.result is not None  # noqa: S101  # for mypy; the model holds it
    return answer.result


def parse(stdout: bytes) -> _Answer:
    """The one JSON object that a program wrote.

    Raises:
        PluginError: it wrote something else.
    """
    if not stdout.strip():
        raise PluginError("wrote nothing to stdout", retryable=False)
    try:
        data = pydantic_core.from_json(stdout, allow_inf_nan=False)
    except ValueError as error:
        raise PluginError(f"wrote no JSON to stdout: {error}", retryable=False) from error
    if not isinstance(data, dict):
        raise PluginError("wrote JSON that is no object to stdout", retryable=False)
    try:
        return _Answer.model_validate(data)
    except ValidationError as error:
        problem = merged("answer", problems_of(error, data, "answer"))
        raise PluginError(
            f"its answer cannot be used: {problem.field}: {problem.problem}", retryable=False
        ) from error


def refused(refusal: Refusal) -> PluginError:
    """The error for what a plugin refused."""
    return PluginError(
        f"{refusal.type}: {refusal.message}", retryable=refusal.retryable, kind=refusal.type
    )


def _end_of(stderr: bytes) -> str:
    text = " ".join(stderr.decode(errors="replace").split())
    return text if len(text) <= _TOLD else f"…{text[-_TOLD:]}"


async def _no_secret(reference: str) -> str:
    """A program's environment holds no secrets; it reads them from its standard input."""
    raise InputError("env", f"{reference} is not resolved for plugins")
