"""Tables of environments, their revisions, their targets, and the agents beside the targets."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base
from engine.store.types import ExactJson


class AgentRecord(Base):
    """An agent of a tenant; its task queue is `agent.<name>`."""

    __tablename__ = "agents"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]


class EnvironmentRecord(Base):
    """An environment as it stands.

    Attributes:
        revision: 1 for the first definition, one more for each that differed.
        digest: of the whole definition, targets included.
        definition: the `Environment`, without its targets.
    """

    __tablename__ = "environments"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    position: Mapped[int]
    revision: Mapped[int]
    digest: Mapped[str]
    definition: Mapped[Any] = mapped_column(ExactJson, nullable=False)


class EnvironmentRevisionRecord(Base):
    """A definition that an environment had; never changed and never removed.

    Attributes:
        definition: the whole `EnvironmentDefinition`, targets included.
    """

    __tablename__ = "environment_revisions"

    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environments.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str]
    definition: Mapped[Any] = mapped_column(ExactJson, nullable=False)
    applied_at: Mapped[datetime]


class TargetRecord(Base):
    """A target, kept when it leaves its environment because tasks refer to it.

    Attributes:
        position: its place among the environment's targets, from 0.
        removed_in: the environment's revision that no longer has it; NULL while it is a target.
    """

    __tablename__ = "targets"
    __table_args__ = (
        UniqueConstraint("environment_id", "name"),
        Index(None, "environment_id", "position"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environments.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id"))
    name: Mapped[str]
    position: Mapped[int]
    driver: Mapped[str]
    component: Mapped[str | None]
    labels: Mapped[Any] = mapped_column(ExactJson, nullable=False)
    config: Mapped[Any] = mapped_column(ExactJson, nullable=False)
    removed_in: Mapped[int | None]
