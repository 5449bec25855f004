"""A workflow run that has ended, as the worker that carried it out knows it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from engine.model.trace import TracedRun
from engine.telemetry.record import SpanRecord


@dataclass(frozen=True)
class EndedRun:
    """What a worker holds of a sampled run whose workflow has returned.

    Whether that is what the history says, only the history tells: a worker's last task may have
    been lost, and carried out again by another one.

    Attributes:
        run: all spans of the run, by id.
        run_id: Temporal's id of the run.
        promotion_id: where the run is the promotion's own; None for its children.
        last_task: the event id of the start of the last workflow task.
        held: the spans that ended in the last task; nobody has emitted them.
    """

    run: TracedRun
    run_id: str
    promotion_id: UUID | None
    last_task: int
    held: tuple[SpanRecord, ...]
