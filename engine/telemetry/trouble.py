"""Says once when a collector stops taking spans, and once when it takes them again."""

from __future__ import annotations

import logging
import threading
import time

from engine.telemetry import events
from engine.telemetry.events import event

_log = logging.getLogger(__name__)


class ExportTrouble:
    """What has become of the batches of one exporter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._refused = 0

    def note(self, *, taken: bool, spans: int) -> None:
        """A batch of so many spans was taken by the collector, or was not."""
        with self._lock:
            since, refused = self._since, self._refused
            if taken:
                self._since, self._refused = None, 0
            else:
                self._since = time.monotonic() if since is None else since
                self._refused += spans
        if taken and since is not None:
            _log.info(
                "the collector takes spans again, after %.0f s in which it did not take %d",
                time.monotonic() - since,
                refused,
                extra=event(events.EXPORT_RECOVERED),
            )
        if not taken and since is None:
            _log.warning(
                "the collector does not take spans; what it lacks is delivered once it does",
                extra=event(events.EXPORT_FAILING),
            )
