"""A promotion's trace together with how often its work was tried, and what it waits for now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.client.attempts import attempts_of
from engine.client.waits import Wait, waits_of
from engine.projection import histories, trace_of
from engine.telemetry.record import SpanRecord

if TYPE_CHECKING:
    from temporalio.client import Client


@dataclass(frozen=True)
class Sight:
    """What is seen of a trace.

    Attributes:
        spans: parents before their children by start.
        attempts: the number of the last attempt, by the id of the span that was an activity.
        waits: what is waited for at a span, by its id; nothing once the promotion has ended.
        unplaced: what is waited for at no span, as while there is none yet.
    """

    spans: tuple[SpanRecord, ...]
    attempts: dict[str, int] = field(default_factory=dict)
    waits: dict[str, list[Wait]] = field(default_factory=dict)
    unplaced: tuple[Wait, ...] = ()

    def as_json(self) -> list[dict[str, object]]:
        """Each span with `attempt` (null where it was no activity) and `waits`."""
        return [
            {
                **span.model_dump(mode="json"),
                "attempt": self.attempts.get(span.span_id),
                "waits": [
                    wait.model_dump(mode="json") for wait in self.waits.get(span.span_id, ())
                ],
            }
            for span in self.spans
        ]


async def see(client: Client, workflow_id: str) -> Sight:
    """Look at the trace of a promotion's workflow, finished or in flight.

    Raises:
        NotFoundError, UnreachableError, PromotionEngineError.
    """
    # Before the history, so that a span that has just ended is not said to wait.
    waits = await waits_of(client, workflow_id)
    parts = [part async for part in histories(client, workflow_id)]
    spans = (await trace_of(parts)).spans
    attempts = await attempts_of(client, parts, spans)
    found: dict[str, list[Wait]] = {}
    unplaced: list[Wait] = []
    for wait in waits:
        at = _waiting(spans, wait)
        if at is None:
            unplaced.append(wait)
            continue
        found.setdefault(at.span_id, []).append(wait)
        if wait.attempt is not None and wait.agent:
            attempts[at.span_id] = wait.attempt
    return Sight(spans, attempts, found, tuple(unplaced))


def _waiting(spans: Sequence[SpanRecord], wait: Wait) -> SpanRecord | None:
    return next(
        (
            span
            for span in spans
            if span.ended_at is None
            and span.name == wait.span_name
            and span.attributes.get(wait.span_key) == wait.span_value
        ),
        None,
    )
