"""A log record as the fields of OpenTelemetry's log data model.

Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/. The trace's fields have the names
and the place that https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
gives them in JSON.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.sdk.resources import Resource
from structlog.typing import EventDict, Processor, WrappedLogger

from engine.logs.context import current_attributes, current_span, told_attributes
from engine.logs.noise import SUPPRESSED
from engine.logs.secrets import without_secrets
from engine.telemetry import events
from engine.telemetry.failures import failure_of
from engine.telemetry.redaction import redact

_SEVERITIES = (
    (logging.CRITICAL, "FATAL", 21),
    (logging.ERROR, "ERROR", 17),
    (logging.WARNING, "WARN", 13),
    (logging.INFO, "INFO", 9),
    (logging.DEBUG, "DEBUG", 5),
)
_LEAST = ("TRACE", 1)
_SPAN_FIELDS = ("trace_id", "span_id")


def to_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The processor that makes the fields of a record, with attributes by their own names."""
    record: logging.LogRecord = event["_record"]
    told: dict[str, Any] = dict(getattr(record, "event_attributes", None) or {})
    severity, number = _severity(record.levelno)
    fields: EventDict = {
        "timestamp": _moment(record.created),
        "severity_text": severity,
        "severity_number": number,
        "body": without_secrets(str(event["event"])),
    }
    if name := getattr(record, "event_name", ""):
        fields["event_name"] = name
    fields.update(_span(told))
    attributes = {
        **told_attributes(record),
        **current_attributes(),
        **{key: value for key, value in told.items() if key not in _SPAN_FIELDS},
        **_exception(event.get("exc_info")),
    }
    if suppressed := getattr(record, SUPPRESSED, 0):
        attributes["log.suppressed"] = suppressed
    fields["attributes"] = redact({key: _plain(value) for key, value in attributes.items()})
    fields["instrumentation_scope"] = {"name": record.name}
    return fields


def to_json(about: Resource) -> Processor:
    """The processor that writes the fields, and what `about` says of this process, as one line."""
    resource = {
        key: _plain(value)
        for key, value in about.attributes.items()
        # Which SDK makes spans is of no use in a line that it did not make.
        if not key.startswith("telemetry.sdk.")
    }

    def render(_: WrappedLogger, __: str, fields: EventDict) -> str:
        # In ASCII, so that no text whatever breaks the line or its encoding.
        return json.dumps({**fields, "resource": resource}, allow_nan=False)

    return render


def _span(told: Mapping[str, Any]) -> dict[str, str]:
    if "trace_id" in told:
        return {key: str(told[key]) for key in _SPAN_FIELDS if key in told}
    context = current_span()
    if context is None:
        return {}
    return {
        "trace_id": context.trace_id,
        "span_id": context.span_id,
        "trace_flags": f"{int(context.sampled):02x}",
    }


def _exception(info: object) -> dict[str, str]:
    error = info[1] if isinstance(info, tuple) and len(info) > 1 else None
    if not isinstance(error, BaseException):
        return {}
    failure = failure_of(error)
    return {
        events.EXCEPTION_TYPE: failure.type,
        events.EXCEPTION_MESSAGE: failure.message,
        events.EXCEPTION_STACKTRACE: failure.stacktrace,
    }


def _severity(level: int) -> tuple[str, int]:
    return next(((text, number) for least, text, number in _SEVERITIES if level >= least), _LEAST)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _plain(value: object) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return without_secrets(str(value))
