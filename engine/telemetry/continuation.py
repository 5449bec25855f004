"""What a workflow that continues as new hands to its next run, so that both are one trace.

The next run's span is a span of its own with the parent of the first, and a link to the run before.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

from engine.model.base import Value
from engine.telemetry.propagation import HEADER, TraceContext, with_header

CONTINUATION = "promotion-engine-continuation"
"""The Temporal header, beside `_tracer-data`, of a run that continues another one."""


class Continuation(Value):
    """Which run of a workflow this is.

    Attributes:
        number: 2 for the run after the first.
        span_id: of the run before; 16 hexadecimal digits.
    """

    number: int = Field(ge=2)
    span_id: str = Field(pattern="^[0-9a-f]{16}$")


def continuation(headers: Mapping[str, Payload]) -> Continuation | None:
    """What the run before handed on; None for a first run."""
    payload = headers.get(CONTINUATION)
    if payload is None:
        return None
    try:
        return Continuation.model_validate(PayloadConverter.default.from_payload(payload))
    except Exception:
        # Anybody can send a header, and a bad one must not fail the workflow.
        return None


def hand_on(
    headers: Mapping[str, Payload], caller: TraceContext | None, run: Continuation
) -> dict[str, Payload]:
    """`headers` for the next run: the parent of this one, and what the next one is."""
    handed = {key: value for key, value in headers.items() if key != HEADER}
    if caller is not None:
        handed = with_header(handed, caller)
    handed[CONTINUATION] = PayloadConverter.default.to_payload(run.model_dump())
    return handed
