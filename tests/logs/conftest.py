from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from engine.config import LogFormat
from engine.logs.setup import log_handler

ABOUT = Resource({"service.name": "releases", "telemetry.sdk.name": "opentelemetry"})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Log:
    """A logger of its own whose lines are kept."""

    def __init__(self, form: LogFormat | None, stream: io.StringIO, name: str) -> None:
        self.stream = stream
        self.handler = log_handler(form, ABOUT, stream)
        self.logger = logging.getLogger(name)
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self.logger.addHandler(self.handler)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line, parse_constant=_no_json) for line in self.text.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (only,) = self.lines
        return only

    def close(self) -> None:
        self.logger.removeHandler(self.handler)
        self.logger.propagate = True


def raised(error: Exception) -> Exception:
    """`error` with the stack trace of having been raised."""
    try:
        raise error
    except type(error) as caught:
        return caught


def _no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log(LogFormat.JSON, io.StringIO(), "engine.under_test")
    yield made
    made.close()


@pytest.fixture
def console() -> Iterator[Log]:
    made = Log(LogFormat.CONSOLE, io.StringIO(), "engine.under_test")
    yield made
    made.close()
