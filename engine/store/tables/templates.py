"""Table of the templates that were applied."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base
from engine.store.types import ExactJson


class TemplateRecord(Base):
    """One version of a tenant's template; never changed and never removed.

    Attributes:
        sequence: 1 for the first version that was applied under this name, then one more each.
        definition: the `Template` as it was written, includes not written out.
    """

    __tablename__ = "templates"
    __table_args__ = (Index(None, "tenant_id", "name", "sequence", unique=True),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    digest: Mapped[str]
    definition: Mapped[Any] = mapped_column(ExactJson, nullable=False)
    applied_at: Mapped[datetime]
