"""Tables of settlement: whose traces are to be settled, and which spans their runs made."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base
from engine.store.types import ExactJson


class UnsettledTraceRecord(Base):
    """A promotion that has ended, and whose sampled trace is not known to be at the collector.

    Attributes:
        run_id: Temporal's id of the workflow's run that ended.
        trace_id: 32 hexadecimal digits.
        ended_at: when the promotion ended.
    """

    __tablename__ = "unsettled_traces"

    promotion_id: Mapped[UUID] = mapped_column(primary_key=True)
    workflow_id: Mapped[str]
    run_id: Mapped[str]
    trace_id: Mapped[str]
    ended_at: Mapped[datetime] = mapped_column(index=True)


class TracedRunRecord(Base):
    """All spans of one closed workflow run; dropped when its promotion's trace is settled.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_ids: 16 hexadecimal digits each.
        children: the workflow ids of its children that have spans.
    """

    __tablename__ = "traced_runs"

    trace_id: Mapped[str] = mapped_column(primary_key=True)
    workflow_id: Mapped[str] = mapped_column(primary_key=True)
    span_ids: Mapped[Any] = mapped_column(ExactJson, nullable=False)
    children: Mapped[Any] = mapped_column(ExactJson, nullable=False)
