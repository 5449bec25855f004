"""Metrics to an OTLP collector by the standard OTEL_* variables, in the background.

Source: https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from opentelemetry.sdk.metrics import MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)

from engine.telemetry import variables
from engine.telemetry.resource import resource

INTERVAL_MS = 60_000
TIMEOUT_MS = 30_000
LARGEST_EXPORT = 4_000
"""Data points in one request, so that it stays below the 4 MiB that gRPC servers take."""

LONGEST_SHUTDOWN = timedelta(seconds=5)
"""How long the last export may take; a collector that does not answer keeps no process."""

_INTERNAL = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"


@dataclass(frozen=True)
class Destination:
    """Where metrics go.

    Attributes:
        protocol: `grpc` or `http/protobuf`.
        every: time between two exports.
    """

    endpoint: str
    protocol: str
    every: timedelta


def destination() -> Destination | None:
    """Where the standard variables send metrics; None when they name no endpoint.

    Raises:
        InputError: a variable has a value that cannot be used.
    """
    endpoint = variables.endpoint("metrics")
    if not endpoint:
        return None
    every = variables.positive_integer("OTEL_METRIC_EXPORT_INTERVAL", INTERVAL_MS)
    return Destination(endpoint, variables.protocol("metrics"), timedelta(milliseconds=every))


def provider_to(where: Destination) -> MeterProvider:
    """A provider that exports there.

    Its resource is that of the traces. The id of the process in it (`service.instance.id`) keeps
    apart what several workers send of the same series.

    Raises:
        InputError: a variable has a value that cannot be used.
    """
    timeout = variables.positive_integer("OTEL_METRIC_EXPORT_TIMEOUT", TIMEOUT_MS)
    exporter = variables.exporter("metrics", lambda: _exporter(where.protocol))
    reader = PeriodicExportingMetricReader(
        exporter,
        export_interval_millis=where.every.total_seconds() * 1000,
        export_timeout_millis=timeout,
    )
    return MeterProvider(
        [reader],
        resource=resource(),
        shutdown_on_exit=False,
    )


def shut_down(provider: MeterProvider) -> None:
    """Export once more and stop, within `LONGEST_SHUTDOWN`."""
    provider.shutdown(timeout_millis=LONGEST_SHUTDOWN.total_seconds() * 1000)


@contextmanager
def exporters_observed() -> Iterator[None]:
    """Have the SDK count what its exporters drop and fail to deliver, unless somebody said no.

    See https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/. The SDK looks when a
    processor or an exporter is made.
    """
    if variables.text(_INTERNAL):
        yield
        return
    os.environ[_INTERNAL] = "true"
    try:
        yield
    finally:
        os.environ.pop(_INTERNAL, None)


def _exporter(protocol: str) -> MetricExporter:
    # An absolute count out of the database, taken as a difference, would count the whole past
    # again with each process that starts.
    temporality: dict[type, AggregationTemporality] = {
        ObservableCounter: AggregationTemporality.CUMULATIVE
    }
    return _exporter_of(protocol)(
        preferred_temporality=temporality, max_export_batch_size=LARGEST_EXPORT
    )


def _exporter_of(protocol: str) -> Callable[..., MetricExporter]:
    # Imported here since each brings a whole network stack, and one is enough.
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
            OTLPMetricExporter as GrpcMetricExporter,
        )

        return GrpcMetricExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
        OTLPMetricExporter as HttpMetricExporter,
    )

    return HttpMetricExporter
