"""Repository of span receipts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

from sqlalchemy import delete, select

from engine.store.database import Database
from engine.store.tables import SpanReceiptRecord
from engine.store.upsert import add_missing

SpanKey = tuple[str, str]
"""A trace id of 32 and a span id of 16 hexadecimal digits."""

_CHUNK = 500


class ReceiptRepository:
    """Which spans a collector has taken, by trace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, spans: Sequence[SpanKey]) -> None:
        """Record spans as exported; those that are recorded stay so."""
        rows = [{"trace_id": trace, "span_id": span} for trace, span in dict.fromkeys(spans)]
        async with self._database.write() as session:
            await add_missing(session, SpanReceiptRecord, rows)

    async def of(self, trace_id: str) -> frozenset[str]:
        """The ids of the trace's spans that were exported."""
        query = select(SpanReceiptRecord.span_id).where(SpanReceiptRecord.trace_id == trace_id)
        async with self._database.read() as session:
            return frozenset(await session.scalars(query))

    async def drop(self, trace_id: str, span_ids: Collection[str]) -> None:
        """Forget the receipts of these spans; the trace may hold another promotion's too."""
        remaining = iter(sorted(span_ids))
        async with self._database.write() as session:
            # In parts, since a statement takes a limited number of parameters.
            while part := list(islice(remaining, _CHUNK)):
                await session.execute(
                    delete(SpanReceiptRecord).where(
                        SpanReceiptRecord.trace_id == trace_id,
                        SpanReceiptRecord.span_id.in_(part),
                    )
                )
