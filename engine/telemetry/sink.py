"""Where finished spans go."""

from __future__ import annotations

from typing import Protocol

from engine.telemetry.ended import EndedRun
from engine.telemetry.record import SpanRecord


class SpanSink(Protocol):
    """Takes finished spans. Called on workflow threads, so it must neither block nor raise."""

    def emit(self, span: SpanRecord) -> None:
        """Take one finished span."""
        ...

    def run_ended(self, ended: EndedRun) -> None:
        """Take what is held of a run that has ended."""
        ...


class CollectingSink:
    """Keeps the spans in memory, in the order of their ends."""

    def __init__(self) -> None:
        self.spans: list[SpanRecord] = []

    def emit(self, span: SpanRecord) -> None:
        """Keep the span."""
        self.spans.append(span)

    def run_ended(self, ended: EndedRun) -> None:
        """Nothing: a replay holds no span back."""
