"""Table of what holds back automatic promotion."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base


class HoldRecord(Base):
    """A hold on automatic promotion to an environment, until a person lifts it.

    Attributes:
        promotion_id: the rollback that it came of; NULL when a person set it.
    """

    __tablename__ = "auto_promotion_holds"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environments.id"), index=True)
    promotion_id: Mapped[UUID | None] = mapped_column(ForeignKey("promotions.id"))
    reason: Mapped[str]
    held_by: Mapped[str]
    held_at: Mapped[datetime]
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]
    lift_reason: Mapped[str]
