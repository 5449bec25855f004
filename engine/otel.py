"""OpenTelemetry's settings of this process: the file, below the standard variables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from engine.config import Settings
from engine.documents.otel_file import load_otel, otel_variables


@contextmanager
def opentelemetry_configured(settings: Settings) -> Iterator[None]:
    """Have what the configuration file says in this process's OTEL_* variables during the block.

    The SDK reads them, and with them TLS, headers and everything else that has a standard variable.
    A variable that is set stays as it is.

    Raises:
        InputError: the file cannot be used.
    """
    before = dict(os.environ)
    path = settings.effective_otel_config
    if path is not None:
        os.environ.update(otel_variables(load_otel(path, before), before))
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
