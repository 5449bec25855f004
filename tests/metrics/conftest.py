from __future__ import annotations

import os

import pytest


@pytest.fixture
def otel_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Sets OTEL_* variables for one test; those of the process that runs it do not count."""
    for name in list(os.environ):
        if name.startswith("OTEL_") or name == "ENVIRONMENT":
            monkeypatch.delenv(name)
    return monkeypatch
