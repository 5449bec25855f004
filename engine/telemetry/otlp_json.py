"""A trace as OTLP JSON, which any backend imports.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hexadecimal, enums
as numbers, names in lowerCamelCase.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from engine.telemetry.export import to_readable
from engine.telemetry.record import SpanRecord
from engine.telemetry.resource import resource

_IDS = ("traceId", "spanId", "parentSpanId")


def otlp_json(spans: Sequence[SpanRecord]) -> dict[str, Any]:
    """The finished ones of `spans` as an `ExportTraceServiceRequest`."""
    about = resource()
    finished = [to_readable(span, about) for span in spans if span.ended_at is not None]
    request: dict[str, Any] = MessageToDict(encode_spans(finished), use_integers_for_enums=True)
    for resource_spans in request.get("resourceSpans", []):
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for one in (span, *span.get("links", [])):
                    one.update({key: _hexadecimal(one[key]) for key in _IDS if key in one})
    return request


def _hexadecimal(encoded: str) -> str:
    # Protobuf's own JSON form has bytes in base64.
    return base64.b64decode(encoded).hex()
