"""Trace and span ids that anyone can recompute.

The live worker, a worker that replays, and a reader of the event history must all give the same
span the same id, so an id is a digest over what the span stands for.
"""

from __future__ import annotations

import hashlib
from uuid import UUID


def trace_id(promotion_id: UUID) -> str:
    """The trace id of a promotion whose caller gave none: 32 hexadecimal digits."""
    return _nonzero(hashlib.sha256(str(promotion_id).encode()).hexdigest()[:32])


def span_id(trace: str, name: str, identity: str) -> str:
    """The id of the span `name` over the work `identity` in a trace: 16 hexadecimal digits.

    Args:
        trace: the trace id, 32 hexadecimal digits.
        identity: the domain key of the work, which no other promotion shares: promotion id,
            `<promotion id>/<gate name>`, step run id, task id.
    """
    material = f"{trace}\n{name}\n{identity}".encode()
    return _nonzero(hashlib.sha256(material).hexdigest()[:16])


def _nonzero(digits: str) -> str:
    # W3C trace context holds an all-zero id to be invalid.
    return digits if int(digits, 16) else f"{1:0{len(digits)}x}"
