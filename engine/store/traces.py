"""Repository of traces that are to be settled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.model.trace import TracedRun, UnsettledTrace
from engine.store.database import Database
from engine.store.tables import SpanReceiptRecord, TracedRunRecord, UnsettledTraceRecord
from engine.store.upsert import upsert

_T = TypeVar("_T")
_CHUNK = 500
"""Of parameters; a statement takes a limited number of them."""

_RunKey = tuple[str, str]
"""A trace id and a workflow id."""

_SpanKey = tuple[str, str]
"""A trace id and a span id."""


class TraceRepository:
    """Sampled traces of ended promotions, until they are known to be at the collector."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def owe(self, trace: UnsettledTrace) -> None:
        """Record that a promotion has ended and that its trace is to be settled."""
        async with self._database.write() as session:
            await upsert(session, UnsettledTraceRecord, [trace.model_dump()])

    async def owed(self, before: datetime | None = None, limit: int = 500) -> list[UnsettledTrace]:
        """Unsettled traces of promotions that ended before a moment, the longest ended first."""
        query = select(UnsettledTraceRecord).order_by(UnsettledTraceRecord.ended_at).limit(limit)
        if before is not None:
            query = query.where(UnsettledTraceRecord.ended_at < before)
        async with self._database.read() as session:
            return [_trace(found) for found in await session.scalars(query)]

    async def backlog(self) -> int:
        """How many traces are unsettled."""
        async with self._database.read() as session:
            return await session.scalar(select(func.count(UnsettledTraceRecord.promotion_id))) or 0

    async def add_runs(self, runs: Sequence[TracedRun]) -> None:
        """Record which spans closed runs have; of one workflow id the latest run counts."""
        rows = {(run.trace_id, run.workflow_id): run.model_dump() for run in runs}
        async with self._database.write() as session:
            await upsert(session, TracedRunRecord, list(rows.values()))

    async def runs(self, trace_id: str) -> tuple[TracedRun, ...]:
        """The closed runs that are recorded of a trace, by workflow id."""
        async with self._database.read() as session:
            found = await _runs(session, [trace_id])
        return tuple(
            TracedRun(
                trace_id=run.trace_id,
                workflow_id=run.workflow_id,
                span_ids=run.span_ids,
                children=run.children,
            )
            for _, run in sorted(found.items())
        )

    async def settle(self, promotion_ids: Collection[UUID]) -> frozenset[UUID]:
        """Settle those of these promotions' traces that are whole at the collector.

        A trace is whole when each of its runs is recorded, from the promotion's own on, and each
        span of theirs has a receipt. What is recorded of it is dropped.

        Returns:
            The promotions whose traces are not, or no longer, unsettled.
        """
        settled = set(promotion_ids)
        async with self._database.write() as session:
            traces = await _unsettled(session, promotion_ids)
            trace_ids = sorted({trace.trace_id for trace in traces})
            runs = await _runs(session, trace_ids)
            receipts = await _receipts(session, trace_ids)
            for trace in traces:
                keys = _own_runs(trace, runs)
                spans = {
                    (trace.trace_id, span) for key in keys or () for span in runs[key].span_ids
                }
                if keys is None or not spans <= receipts:
                    settled.remove(trace.promotion_id)
                    continue
                await _drop(session, trace.promotion_id, keys, spans)
        return frozenset(settled)

    async def drop(self, promotion_id: UUID, trace_id: str, span_ids: Collection[str]) -> None:
        """Forget a settled trace with the receipts of these spans of it.

        The trace may hold another promotion's spans too; theirs stay.
        """
        async with self._database.write() as session:
            runs = await _runs(session, [trace_id])
            keys = [key for key, run in runs.items() if set(run.span_ids) <= set(span_ids)]
            spans = {(trace_id, span) for span in span_ids}
            await _drop(session, promotion_id, keys, spans)


async def _unsettled(
    session: AsyncSession, promotion_ids: Collection[UUID]
) -> list[UnsettledTraceRecord]:
    record = UnsettledTraceRecord
    found: list[UnsettledTraceRecord] = []
    for part in _parts(sorted(promotion_ids)):
        # Locked, since two that settle the same trace at once would each miss what the other drops.
        query = select(record).where(record.promotion_id.in_(part)).with_for_update()
        found += await session.scalars(query.order_by(record.promotion_id))
    return found


async def _runs(
    session: AsyncSession, trace_ids: Collection[str]
) -> dict[_RunKey, TracedRunRecord]:
    record = TracedRunRecord
    found: dict[_RunKey, TracedRunRecord] = {}
    for part in _parts(trace_ids):
        for run in await session.scalars(select(record).where(record.trace_id.in_(part))):
            found[run.trace_id, run.workflow_id] = run
    return found


async def _receipts(session: AsyncSession, trace_ids: Collection[str]) -> set[_SpanKey]:
    record = SpanReceiptRecord
    found: set[_SpanKey] = set()
    for part in _parts(trace_ids):
        query = select(record.trace_id, record.span_id).where(record.trace_id.in_(part))
        found.update((trace, span) for trace, span in await session.execute(query))
    return found


def _own_runs(
    trace: UnsettledTraceRecord, runs: Mapping[_RunKey, TracedRunRecord]
) -> list[_RunKey] | None:
    """The promotion's run and its descendants'; None when one of them is not recorded."""
    waiting, found = [trace.workflow_id], []
    while waiting:
        key = (trace.trace_id, waiting.pop())
        if key not in runs:
            return None
        found.append(key)
        waiting += runs[key].children
    return found


async def _drop(
    session: AsyncSession, promotion_id: UUID, runs: Iterable[_RunKey], spans: Iterable[_SpanKey]
) -> None:
    unsettled, run, receipt = UnsettledTraceRecord, TracedRunRecord, SpanReceiptRecord
    await session.execute(delete(unsettled).where(unsettled.promotion_id == promotion_id))
    for trace_id, workflow_ids in _by_trace(runs).items():
        for part in _parts(workflow_ids):
            await session.execute(
                delete(run).where(run.trace_id == trace_id, run.workflow_id.in_(part))
            )
    for trace_id, span_ids in _by_trace(spans).items():
        for part in _parts(span_ids):
            await session.execute(
                delete(receipt).where(receipt.trace_id == trace_id, receipt.span_id.in_(part))
            )


def _by_trace(keys: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for trace_id, other in sorted(keys):
        grouped.setdefault(trace_id, []).append(other)
    return grouped


def _parts(values: Iterable[_T]) -> Iterator[list[_T]]:
    remaining = iter(values)
    while part := list(islice(remaining, _CHUNK)):
        yield part


def _trace(record: UnsettledTraceRecord) -> UnsettledTrace:
    return UnsettledTrace(
        promotion_id=record.promotion_id,
        workflow_id=record.workflow_id,
        run_id=record.run_id,
        trace_id=record.trace_id,
        ended_at=record.ended_at,
    )
