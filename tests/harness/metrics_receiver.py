"""A real OTLP receiver of metrics: the gRPC service of opentelemetry-proto, and its HTTP twin.

Both take traces as well and keep nothing of them, as a collector that has one endpoint for all
signals does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from tests.harness.http import serving

Attributes = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Point:
    """The newest data point of one series.

    Attributes:
        kind: `sum`, `gauge` or `histogram`; a sum that may go down is a `level`.
        value: of a sum or a gauge; of a histogram the sum of what was measured.
        count: of a histogram, how often was measured.
    """

    kind: str
    unit: str
    value: float
    count: int = 0
    bounds: tuple[float, ...] = ()
    delta: bool = False


@dataclass
class MetricsReceiver:
    """What has been received; `endpoint` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""

    endpoint: str = ""
    exports: int = 0
    resources: list[dict[str, str]] = field(default_factory=list)
    metadata: list[Mapping[str, str]] = field(default_factory=list)
    _points: dict[tuple[str, str, Attributes], Point] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: ExportMetricsServiceRequest, metadata: Mapping[str, str]) -> None:
        with self._lock:
            self.exports += 1
            self.metadata.append(metadata)
            for resource_metrics in request.resource_metrics:
                resource = dict(_attributes(resource_metrics.resource.attributes))
                self.resources.append(resource)
                for scope_metrics in resource_metrics.scope_metrics:
                    for metric in scope_metrics.metrics:
                        for attributes, point in _points(metric):
                            instance = resource.get("service.instance.id", "")
                            self._points[metric.name, instance, attributes] = point

    def series(self, name: str) -> dict[Attributes, list[Point]]:
        """The newest points of a metric by their attributes, one of each process."""
        found: dict[Attributes, list[Point]] = {}
        with self._lock:
            for (metric, _, attributes), point in self._points.items():
                if metric == name:
                    found.setdefault(attributes, []).append(point)
        return found

    def of(self, name: str, **wanted: str) -> list[Point]:
        """The newest points that have these attributes, `_` for the dots of their names."""
        pairs = {(key.replace("_", "."), value) for key, value in wanted.items()}
        return [
            point
            for attributes, points in self.series(name).items()
            if pairs <= {(key.replace("_", "."), value) for key, value in attributes}
            for point in points
        ]

    def value(self, name: str, **wanted: str) -> float:
        """The greatest value of these points; -1 while there is none."""
        return max((point.value for point in self.of(name, **wanted)), default=-1)

    def count(self, name: str, **wanted: str) -> int:
        """How often was measured, over the histograms of all processes."""
        return sum(point.count for point in self.of(name, **wanted))

    def units(self) -> dict[str, tuple[str, str]]:
        """Kind and unit of every metric by its name."""
        with self._lock:
            return {key[0]: (point.kind, point.unit) for key, point in self._points.items()}


class _Metrics(MetricsServiceServicer):
    def __init__(self, receiver: MetricsReceiver, answering: threading.Event) -> None:
        self._receiver = receiver
        self._answering = answering

    def Export(  # noqa: N802  # the name is the protocol's
        self, request: ExportMetricsServiceRequest, context: grpc.ServicerContext
    ) -> ExportMetricsServiceResponse:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        self._receiver.take(request, metadata)
        self._answering.wait()
        return ExportMetricsServiceResponse()


class _Traces(TraceServiceServicer):
    def Export(  # noqa: N802  # the name is the protocol's
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        return ExportTraceServiceResponse()


@contextmanager
def grpc_metrics_receiver(*, answers: bool = True) -> Iterator[MetricsReceiver]:
    """Receives over gRPC; with `answers` False it takes metrics and never says so."""
    receiver, answering = MetricsReceiver(), threading.Event()
    if answers:
        answering.set()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    register: Callable[[MetricsServiceServicer, grpc.Server], None] = (
        add_MetricsServiceServicer_to_server
    )
    register(_Metrics(receiver, answering), server)
    register_traces: Callable[[TraceServiceServicer, grpc.Server], None] = (
        add_TraceServiceServicer_to_server
    )
    register_traces(_Traces(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    receiver.endpoint = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        answering.set()
        server.stop(grace=None).wait()


@contextmanager
def http_metrics_receiver() -> Iterator[MetricsReceiver]:
    receiver = MetricsReceiver()

    def take(body: bytes, headers: Mapping[str, str]) -> bytes:
        receiver.take(ExportMetricsServiceRequest.FromString(body), headers)
        return b""

    with serving({"/v1/metrics": take, "/v1/traces": lambda *_: b""}) as receiver.endpoint:
        yield receiver


def _points(metric: Metric) -> Iterator[tuple[Attributes, Point]]:
    kind = metric.WhichOneof("data")
    delta = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    if kind == "histogram":
        for measured in metric.histogram.data_points:
            yield (
                frozenset(_attributes(measured.attributes)),
                Point(
                    kind,
                    metric.unit,
                    measured.sum,
                    measured.count,
                    tuple(measured.explicit_bounds),
                    metric.histogram.aggregation_temporality == delta,
                ),
            )
        return
    assert kind in ("sum", "gauge"), kind
    is_sum = kind == "sum"
    points = metric.sum.data_points if is_sum else metric.gauge.data_points
    for number in points:
        value = number.as_double if number.WhichOneof("value") == "as_double" else number.as_int
        yield (
            frozenset(_attributes(number.attributes)),
            Point(
                "level" if is_sum and not metric.sum.is_monotonic else kind,
                metric.unit,
                value,
                delta=is_sum and metric.sum.aggregation_temporality == delta,
            ),
        )


def _attributes(pairs: Sequence[KeyValue]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        yield pair.key, str(getattr(pair.value, kind)) if kind else ""
