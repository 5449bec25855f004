"""A log record as a line for people."""

from __future__ import annotations

from datetime import datetime

from structlog.dev import ConsoleRenderer
from structlog.typing import EventDict, Processor, WrappedLogger

from engine.logs.noise import SUPPRESSED
from engine.telemetry import events, names

_SHOWN = (names.PROMOTION_ID, names.TEMPORAL_ATTEMPT, SUPPRESSED)
"""The attributes that a line ends with; what matters of the others is in its text."""

_QUIET = {names.TEMPORAL_ATTEMPT: 1}
"""Values that go without saying."""

_LEVELS = {"FATAL": "critical"}
"""Where the renderer calls a severity otherwise."""

_INDENT = "    "


def to_console(*, colours: bool) -> tuple[Processor, ...]:
    """The processors that write the fields as one line, and a stack trace below it."""
    renderer = ConsoleRenderer(
        colors=colours, force_colors=colours, pad_event_to=0, sort_keys=False
    )
    return (_columns, renderer)


def _columns(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    attributes = fields["attributes"]
    severity = fields["severity_text"]
    columns: EventDict = {
        "timestamp": _local(fields["timestamp"]),
        "level": _LEVELS.get(severity, severity.lower()),
        "event": _printable(fields["body"]),
        "logger": _printable(fields["instrumentation_scope"]["name"]),
    }
    for key in _SHOWN:
        if key in attributes and attributes[key] != _QUIET.get(key):
            columns[key] = attributes[key]
    columns.update({key: fields[key] for key in ("trace_id", "span_id") if key in fields})
    trace = attributes.get(events.EXCEPTION_STACKTRACE) or _bare(attributes)
    if trace:
        # Indented and without control characters, no text that an error quotes can pass for a line
        # of its own.
        columns["exception"] = "\n".join(
            _INDENT + _printable(line) for line in trace.rstrip().split("\n")
        )
    return columns


def _bare(attributes: EventDict) -> str:
    """An exception without a stack trace, as one that came over the wire."""
    if events.EXCEPTION_TYPE not in attributes or events.EXCEPTION_STACKTRACE not in attributes:
        return ""
    return f"{attributes[events.EXCEPTION_TYPE]}: {attributes[events.EXCEPTION_MESSAGE]}"


def _local(timestamp: str) -> str:
    local = datetime.fromisoformat(timestamp).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S.") + f"{local.microsecond // 1000:03d}"


def _printable(text: str) -> str:
    """`text` on one line, with nothing in it that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
