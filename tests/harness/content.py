"""What a span says, in one form for a received span and for one that was read out of a history."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource

from engine.telemetry.export import to_readable
from engine.telemetry.record import SpanRecord
from tests.harness.receiver import Received, Receiver


def as_received(spans: Iterable[SpanRecord]) -> list[Received]:
    """The spans as a receiver gets them, from a process without a resource."""
    receiver = Receiver()
    receiver.take(encode_spans([to_readable(span, Resource({})) for span in spans]))
    return receiver.spans


def content(span: Received) -> str:
    """All that the span says, its process apart; texts compare types too, as backends do."""
    return json.dumps({**asdict(span), "resource": {}}, sort_keys=True)


def contents(spans: Iterable[Received | SpanRecord]) -> list[str]:
    """The sorted contents of spans, received or not."""
    found = list(spans)
    received = [span for span in found if isinstance(span, Received)]
    received += as_received(span for span in found if isinstance(span, SpanRecord))
    return sorted(map(content, received))
