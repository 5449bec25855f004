"""Collectors that misbehave: real servers that stall, refuse, or say nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from tests.harness.receiver import Receiver
from tests.harness.system import PATIENCE


class MoodyCollector(TraceServiceServicer):
    """A gRPC collector that answers nothing until it is opened, and can be told to refuse.

    Attributes:
        called: set once an export has come in.
        calls: how many have come in.
    """

    def __init__(self) -> None:
        self.receiver = Receiver()
        self.called = threading.Event()
        self.calls = 0
        self.refusing = False
        self._open = threading.Event()

    def open(self) -> None:
        """Answer from now on."""
        self._open.set()

    def Export(  # noqa: N802  # the name is the protocol's
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        self.calls += 1
        self.called.set()
        assert self._open.wait(PATIENCE)
        if self.refusing:
            # One that is not tried again: https://opentelemetry.io/docs/specs/otlp/#failures
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "in no mood")
        self.receiver.take(request)
        return ExportTraceServiceResponse()


@contextmanager
def moody_collector() -> Iterator[MoodyCollector]:
    collector = MoodyCollector()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    register: Callable[[TraceServiceServicer, grpc.Server], None] = (
        add_TraceServiceServicer_to_server
    )
    register(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    collector.receiver.endpoint = f"http://127.0.0.1:{port}"
    try:
        yield collector
    finally:
        collector.open()
        server.stop(grace=None).wait()


@contextmanager
def silent_endpoint() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def refusing_endpoint() -> Iterator[str]:
    """A port that is bound, so that nobody else gets it, and takes no connection."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
