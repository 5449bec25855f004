"""Table of the freezes that people set and lift."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base


class FreezeRecord(Base):
    """A freeze by hand; see `engine.model.freeze.Freeze`. Never removed, only lifted."""

    __tablename__ = "freezes"
    __table_args__ = (Index(None, "tenant_id", "lifted_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    environment: Mapped[str | None]
    reason: Mapped[str]
    stops_the_line: Mapped[bool]
    start: Mapped[datetime]
    end: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]
    lift_reason: Mapped[str]
