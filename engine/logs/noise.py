"""What is not written: the same trouble again and again, and what others say better."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from engine.logs.context import is_projection

SUPPRESSED = "log.suppressed"
"""The attribute of a line that stands for others like it: how many were left out before it."""

_MINUTE = 60.0
_MOST_KEYS = 1000
_EXPORTERS = "opentelemetry."


class Limit(logging.Filter):
    """Lets one line a minute through of those that repeat themselves.

    These are lines with a key of their own (see `engine.telemetry.events.event`), and those of
    OpenTelemetry's exporters, which tell about each batch and each attempt.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._written: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; it is told how many were not since the last one."""
        key = _key(record)
        if not key:
            return True
        now = self._clock()
        with self._lock:
            since, left_out = self._written.get(key, (now - _MINUTE, 0))
            if now - since < _MINUTE:
                self._written[key] = (since, left_out + 1)
                return False
            if len(self._written) >= _MOST_KEYS:
                self._written.clear()
            self._written[key] = (now, 0)
        if left_out:
            setattr(record, SUPPRESSED, left_out)
        return True


def _key(record: logging.LogRecord) -> str:
    given: str = getattr(record, "once_a_minute", "")
    if given:
        return given
    if record.name.startswith(_EXPORTERS):
        return f"{record.name}:{record.lineno}"
    return ""


def is_news(record: logging.LogRecord) -> bool:
    """Whether the record tells something now, and not what a history says about the past."""
    return not is_projection()


def is_not_told_by_us(record: logging.LogRecord) -> bool:
    """Whether a line of the SDK is not about a failed activity.

    `engine.logs.interceptor` tells of those, with the ids of the span, which the SDK does not know.
    """
    return getattr(record, "__temporal_error_identifier", "") != "ActivityFailure"
