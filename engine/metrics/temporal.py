"""Temporal's own metrics, out of the SDK's buffer into our meters.

Names, attributes and meaning: https://docs.temporal.io/references/sdk-metrics. Why they go this way
is in docs/adr/0009-metrics.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from threading import Lock

from opentelemetry.metrics import Meter
from opentelemetry.util.types import AttributeValue
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BufferedMetric,
    BufferedMetricUpdate,
    MetricBuffer,
    MetricBufferDurationFormat,
    Runtime,
    TelemetryConfig,
)

from engine.logs.native import native_logging
from engine.metrics.names import TEMPORAL

BUFFER_SIZE = 65_536
"""Updates that the SDK keeps until the next drain; it drops and logs what is more."""

EVERY = 1.0
"""Seconds between two drains."""

_Attributes = dict[str, AttributeValue]
_Record = Callable[[float, _Attributes], None]


class TemporalMetrics:
    """A Temporal runtime whose metrics come out of `meter`.

    Attributes:
        runtime: for the client; its worker's metrics are the runtime's too.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._buffer = MetricBuffer(BUFFER_SIZE, MetricBufferDurationFormat.SECONDS)
        self.runtime = Runtime(
            # Its service name would be the SDK's; ours is in the resource.
            telemetry=TelemetryConfig(
                metrics=self._buffer, attach_service_name=False, logging=native_logging()
            )
        )
        self._record: dict[str, _Record] = {}
        self._lock = Lock()

    async def run(self) -> None:
        """Drain the buffer again and again, until cancelled."""
        while True:
            self.drain()
            await asyncio.sleep(EVERY)

    def drain(self) -> None:
        """Bring everything that the SDK has measured so far into the meters."""
        with self._lock:
            self._put(self._buffer.retrieve_updates())

    def _put(self, updates: Sequence[BufferedMetricUpdate]) -> None:
        # The SDK uses one object for equal metrics and one for equal attributes, so most updates
        # of a busy second fold into few.
        folded: dict[tuple[int, int], tuple[BufferedMetricUpdate, float]] = {}
        for update in updates:
            key = (id(update.metric), id(update.attributes))
            kind = update.metric.kind
            if kind == BUFFERED_METRIC_KIND_COUNTER:
                before = folded[key][1] if key in folded else 0
                folded[key] = (update, before + update.value)
            elif kind == BUFFERED_METRIC_KIND_GAUGE:
                folded[key] = (update, update.value)
            else:
                self._recorder(update.metric)(update.value, dict(update.attributes))
        for update, value in folded.values():
            self._recorder(update.metric)(value, dict(update.attributes))

    def _recorder(self, metric: BufferedMetric) -> _Record:
        known = self._record.get(metric.name)
        if known is None:
            known = self._record[metric.name] = self._made(metric)
        return known

    def _made(self, metric: BufferedMetric) -> _Record:
        unit, description = metric.unit or "", metric.description or ""
        if metric.kind == BUFFERED_METRIC_KIND_COUNTER:
            return self._meter.create_counter(metric.name, unit, description).add
        if metric.kind == BUFFERED_METRIC_KIND_GAUGE:
            return self._meter.create_gauge(metric.name, unit, description).set
        return self._meter.create_histogram(
            metric.name,
            unit,
            description,
            explicit_bucket_boundaries_advisory=TEMPORAL if unit == "s" else None,
        ).record
