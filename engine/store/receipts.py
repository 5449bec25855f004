"""Repository of span receipts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from engine.store.database import Database
from engine.store.tables import SpanReceiptRecord
from engine.store.upsert import add_missing

SpanKey = tuple[str, str]
"""A trace id of 32 and a span id of 16 hexadecimal digits."""


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
