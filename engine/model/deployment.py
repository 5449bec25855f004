"""A deployment job: one strategy over the targets of one environment."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from engine.model.agent_task import AgentTask, TaskResult
from engine.model.base import Name, Timestamp, Value
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot
from engine.model.strategy import Strategy


class DeploymentRequest(Value):
    """The input of the workflow `deployment.execute`."""

    promotion: PromotionSnapshot
    node_id: Name
    strategy: Strategy


class TargetPlan(Value):
    """The tasks for one target, in order."""

    target: Name
    tasks: tuple[AgentTask, ...]


class Assignment(Value):
    """What `deployment.assign_tasks` decided: batches of targets, each with its tasks.

    Target selectors are resolved once, here; every later count is over this list.
    """

    job_id: UUID
    target_count: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    batches: tuple[tuple[TargetPlan, ...], ...]


class JobStatus(StrEnum):
    """Where a deployment job stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeploymentResult(Value):
    """The end of a deployment job; also the detail of the failure when it failed."""

    job_id: UUID
    node_id: Name
    strategy: str
    status: JobStatus
    target_count: int
    batch_size: int
    tasks: tuple[TaskResult, ...]
    failure: Failure | None = None
    started_at: Timestamp
    ended_at: Timestamp


class DeploymentProgress(Value):
    """A line for people: `batch 2 of 3, 4 of 6 targets done`."""

    node_id: Name
    batch: int
    batches: int
    targets_done: int
    targets: int
