"""Tables of what a promotion carried out: template runs, steps, deployment jobs, agent tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from engine.model.agent_task import TaskStatus, TaskType
from engine.model.deployment import JobStatus
from engine.model.execution import StepStatus
from engine.store.base import Base
from engine.store.types import ReportJson


class WorkflowRunRecord(Base):
    """The run of a template within a promotion."""

    __tablename__ = "workflow_runs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id"), index=True)
    template: Mapped[str]
    template_version: Mapped[str]
    status: Mapped[StepStatus]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class StepRunRecord(Base):
    """The run of one node of a template.

    Attributes:
        outputs: what it handed on to others.
        attempt: the attempt that came to this end.
        compensates: the node whose work it took back.
        taken_over_from: the promotion whose step it was, where it was not run again.
    """

    __tablename__ = "step_runs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("workflow_runs.id"), index=True)
    node_id: Mapped[str]
    type: Mapped[str]
    status: Mapped[StepStatus]
    detail: Mapped[str]
    failure: Mapped[Any | None] = mapped_column(ReportJson)
    inputs: Mapped[Any] = mapped_column(ReportJson, nullable=False)
    outputs: Mapped[Any | None] = mapped_column(ReportJson)
    attempt: Mapped[int | None]
    compensates: Mapped[str | None]
    taken_over_from: Mapped[UUID | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]


class DeploymentJobRecord(Base):
    """A strategy's walk over the targets of an environment.

    Attributes:
        batch_size: targets per batch, as resolved for `target_count` targets.
    """

    __tablename__ = "deployment_jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id"), index=True)
    node_id: Mapped[str]
    strategy: Mapped[str]
    status: Mapped[JobStatus]
    target_count: Mapped[int]
    batch_size: Mapped[int]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class AgentTaskRecord(Base):
    """One kind of work on one target: assigned, then with its result.

    Attributes:
        before, after: `RunningVersion` of the target before and after; NULL when it ran nothing.
        started_at, ended_at: NULL until there is a result.
    """

    __tablename__ = "agent_tasks"
    __table_args__ = (
        Index(None, "job_id"),
        Index(None, "target_id", "ended_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("deployment_jobs.id"))
    target_id: Mapped[UUID] = mapped_column(ForeignKey("targets.id"))
    agent_id: Mapped[UUID] = mapped_column(ForeignKey("agents.id"))
    component: Mapped[str]
    type: Mapped[TaskType]
    status: Mapped[TaskStatus]
    attempt: Mapped[int]
    changed: Mapped[bool]
    before: Mapped[Any | None] = mapped_column(ReportJson)
    after: Mapped[Any | None] = mapped_column(ReportJson)
    failure: Mapped[Any | None] = mapped_column(ReportJson)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
