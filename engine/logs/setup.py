"""Logging of a whole process, set up once at its start."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from opentelemetry.sdk.resources import Resource
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor
from temporalio.runtime import Runtime, TelemetryConfig

from engine.config import LogFormat, LogLevel
from engine.logs.console import to_console
from engine.logs.fields import to_fields, to_json
from engine.logs.native import native_logging
from engine.logs.noise import Limit, is_news, is_not_told_by_us

OURS = ("engine", "workflows", "activities", "migrations")
"""The loggers that the level is for. Libraries tell warnings and errors only: below those they
print URLs, headers and parameters, which may hold secrets."""


def configure_logs(
    form: LogFormat | None, level: LogLevel, about: Resource, stream: TextIO | None = None
) -> None:
    """Write what this process logs, and what its libraries do, in one form.

    Args:
        form: None for `console` on a terminal and `json` elsewhere.
        level: the least severe lines of ours that are written.
        about: what the process is, the same as in its spans.
        stream: standard error by default.
    """
    handler = log_handler(form, about, stream or sys.stderr)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(threshold)
    logging.getLogger("temporalio.activity").addFilter(is_not_told_by_us)
    logging.captureWarnings(True)
    # Connections that bring a runtime of their own give it the same `logging`.
    runtime = Runtime(telemetry=TelemetryConfig(logging=native_logging()))
    Runtime.set_default(runtime, error_if_already_set=False)


def log_handler(form: LogFormat | None, about: Resource, stream: TextIO) -> logging.Handler:
    """What writes log records to `stream`; see `configure_logs`."""
    if form is None:
        form = LogFormat.CONSOLE if stream.isatty() else LogFormat.JSON
    end: tuple[Processor, ...] = (to_json(about),)
    if form is LogFormat.CONSOLE:
        end = to_console(colours=_has_colours(stream))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ProcessorFormatter(processors=[to_fields, *end]))
    handler.addFilter(is_news)
    handler.addFilter(Limit())
    return handler


def _has_colours(stream: TextIO) -> bool:
    # https://no-color.org/: any value but the empty one.
    return stream.isatty() and not os.environ.get("NO_COLOR")
