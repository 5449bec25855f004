"""Tables of span receipts: which spans a collector has taken."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base


class SpanReceiptRecord(Base):
    """A span that was exported; dropped when its promotion's trace is settled.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
    """

    __tablename__ = "span_receipts"

    trace_id: Mapped[str] = mapped_column(primary_key=True)
    span_id: Mapped[str] = mapped_column(primary_key=True)
