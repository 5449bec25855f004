"""Fixtures that the tests of several packages share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.harness.receiver import Receiver, grpc_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A collector of one test."""
    with grpc_receiver() as running:
        yield running


@pytest.fixture
def otel_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Sets OTEL_* variables for one test; those of the process that runs it do not count."""
    for name in list(os.environ):
        if name.startswith("OTEL_") or name == "ENVIRONMENT":
            monkeypatch.delenv(name)
    return monkeypatch
