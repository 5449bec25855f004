"""A whole trace, as it is read back out of event histories."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.promotion import PromotionStatus
from engine.telemetry import names
from engine.telemetry.record import SpanRecord


@dataclass(frozen=True)
class Trace:
    """A promotion's trace.

    Attributes:
        spans: parents before their children by start; `ended_at` is None where the work goes on.
        sampled: the head decision.
        keep: the ends for which the trace is kept whatever the head decision was.
    """

    spans: tuple[SpanRecord, ...]
    sampled: bool
    keep: tuple[PromotionStatus, ...] = ()

    @property
    def root(self) -> SpanRecord | None:
        """The span of the promotion itself; None while its request is not resolved."""
        return next((span for span in self.spans if span.name == names.PROMOTION_REQUEST), None)

    @property
    def kept_for(self) -> str:
        """Why an unsampled trace is exported all the same; empty where it is not."""
        root = self.root
        if self.sampled or root is None:
            return ""
        if root.failure is not None:
            return "error"
        status = str(root.attributes.get(names.PROMOTION_STATUS, ""))
        return status if status in self.keep else ""
