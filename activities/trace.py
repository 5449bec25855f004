"""Activities of settlement: what the collector lacks of a trace is brought to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from temporalio import activity
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from engine.config import TASK_QUEUE
from engine.errors import PromotionEngineError
from engine.model.base import Duration, Value
from engine.model.search_attributes import PROMOTION_ID
from engine.store.store import Store
from engine.telemetry import events, names
from engine.telemetry.events import event
from engine.telemetry.export import OtlpSink
from engine.telemetry.record import SpanRecord
from engine.telemetry.trace import Trace

_log = logging.getLogger(__name__)

Project = Callable[[Client, str, str | None], Awaitable[Trace]]
"""Reads a trace back out of the histories of a workflow and its run."""


class SettleRequest(Value):
    """The promotion whose trace is to be settled; the input of the workflow `trace.settle`.

    Attributes:
        after: how long to wait first, so that what is on its way arrives.
    """

    promotion_id: UUID
    workflow_id: str
    run_id: str
    after: Duration


class SweepRequest(Value):
    """The input of the workflow `trace.sweep`.

    Attributes:
        closed_within: how far back to look for promotions that have ended.
        settle_after: see `SettleRequest.after`.
    """

    closed_within: Duration
    settle_after: Duration


class Settlement(Value):
    """What was found and done.

    Attributes:
        promotion_id: None when nothing is to be at the collector.
        trace_id: 32 hexadecimal digits; empty when the request was never resolved.
        expected: spans of the trace that are to be at the collector.
        delivered: those of them that only settlement brought there.
        kept_for: why an unsampled trace was exported; empty for a sampled one.
    """

    promotion_id: UUID | None = None
    trace_id: str = ""
    expected: int = 0
    delivered: int = 0
    kept_for: str = ""
    span_ids: tuple[str, ...] = ()


SETTLE_WORKFLOW = "trace.settle"

OVERDUE = 3
"""Waits for spans on their way, after which a trace is not settled by its own worker any more."""

SHORTEST_WAIT = timedelta(seconds=8)
"""What a busy worker is given in any case."""


class NotClosedError(PromotionEngineError):
    """The promotion still runs, so that its trace is not whole."""


class OnTheirWayError(PromotionEngineError):
    """Spans are being exported right now; delivering them as well would deliver them twice."""


class TraceActivities:
    """Activities over histories, receipts and the exporter.

    Args:
        sink: None where nothing is exported.
    """

    def __init__(self, store: Store, sink: OtlpSink | None, project: Project) -> None:
        self._store = store
        self._sink = sink
        self._project = project

    @activity.defn(name="trace.deliver")
    async def deliver(self, request: SettleRequest) -> Settlement:
        """Export every span of a closed promotion that the collector has no receipt for.

        Raises:
            NotClosedError: it still runs.
            OnTheirWayError: it is to be tried again in a moment.
            UnreachableError: the collector did not take the spans.
        """
        trace = await self._project(activity.client(), request.workflow_id, request.run_id)
        root = trace.root
        if root is None or self._sink is None or not (trace.sampled or trace.kept_for):
            return Settlement()
        if any(span.ended_at is None for span in trace.spans):
            raise NotClosedError(f"promotion {request.promotion_id} still runs")
        receipts = await self._store.receipts.of(root.trace_id)
        missing = [
            _marked(span, trace.kept_for) for span in trace.spans if span.span_id not in receipts
        ]
        if self._sink.in_flight(span.span_id for span in missing):
            raise OnTheirWayError("some spans are just being exported")
        if missing:
            await asyncio.to_thread(self._sink.deliver, missing)
        _log.log(
            # That a promotion's own worker delivered everything is the rule.
            logging.INFO if missing else logging.DEBUG,
            "trace settled: %d of %d spans delivered now%s",
            len(missing),
            len(trace.spans),
            f", kept for {trace.kept_for}" if trace.kept_for else "",
            extra=event(
                events.TRACE_SETTLED,
                {
                    "trace_id": root.trace_id,
                    "span_id": root.span_id,
                    events.SETTLED_EXPECTED: len(trace.spans),
                    events.SETTLED_DELIVERED: len(missing),
                },
            ),
        )
        return Settlement(
            promotion_id=request.promotion_id,
            trace_id=root.trace_id,
            expected=len(trace.spans),
            delivered=len(missing),
            kept_for=trace.kept_for,
            span_ids=tuple(span.span_id for span in trace.spans),
        )

    @activity.defn(name="trace.forget")
    async def forget(self, settled: Settlement) -> None:
        """Drop what is recorded of a settled trace."""
        if settled.promotion_id is not None:
            await self._store.traces.drop(settled.promotion_id, settled.trace_id, settled.span_ids)

    @activity.defn(name="trace.sweep")
    async def sweep(self, request: SweepRequest) -> int:
        """Start the settlement of every ended promotion that nobody has settled so far.

        That are those that could not say that they have ended, since they were terminated or timed
        out, and those whose worker did not see to it.

        Returns:
            How many were started now; one that was settled or is being settled is left alone.
        """
        client = activity.client()
        now = datetime.now(UTC)
        overdue = max(OVERDUE * request.settle_after, SHORTEST_WAIT)
        owed = await self._store.traces.owed(before=now - overdue)
        settled = await self._store.traces.settle([trace.promotion_id for trace in owed])
        started = 0
        for trace in owed:
            if trace.promotion_id not in settled:
                wanted = SettleRequest(
                    promotion_id=trace.promotion_id,
                    workflow_id=trace.workflow_id,
                    run_id=trace.run_id,
                    after=timedelta(0),
                )
                started += await _started(client, wanted, WorkflowIDReusePolicy.ALLOW_DUPLICATE)
        async for wanted in _cut_off(client, now - request.closed_within, request.settle_after):
            started += await _started(client, wanted, WorkflowIDReusePolicy.REJECT_DUPLICATE)
        return started


async def _cut_off(
    client: Client, since: datetime, settle_after: timedelta
) -> AsyncIterator[SettleRequest]:
    """Promotions that were terminated or timed out."""
    query = (
        f"WorkflowType = '{names.PROMOTION_REQUEST}' AND {PROMOTION_ID} IS NOT NULL "
        f"AND ExecutionStatus IN ('Terminated', 'TimedOut') AND CloseTime > '{since.isoformat()}'"
    )
    async for found in client.list_workflows(query):
        activity.heartbeat()
        promotion_id = found.typed_search_attributes.get(
            SearchAttributeKey.for_keyword(PROMOTION_ID)
        )
        if promotion_id is not None and found.run_id is not None:
            yield SettleRequest(
                promotion_id=UUID(promotion_id),
                workflow_id=found.id,
                run_id=found.run_id,
                after=settle_after,
            )


async def _started(client: Client, wanted: SettleRequest, reuse: WorkflowIDReusePolicy) -> bool:
    activity.heartbeat()
    try:
        await client.start_workflow(
            SETTLE_WORKFLOW,
            wanted,
            id=settlement_id(wanted.promotion_id),
            task_queue=TASK_QUEUE,
            id_reuse_policy=reuse,
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def settlement_id(promotion_id: UUID) -> str:
    """The workflow id of a promotion's settlement; taken once, it settles once."""
    return f"promotion/{promotion_id}/trace"


def _marked(span: SpanRecord, kept_for: str) -> SpanRecord:
    if not kept_for or span.name != names.PROMOTION_REQUEST:
        return span
    return span.model_copy(update={"attributes": {**span.attributes, names.KEPT_FOR: kept_for}})
