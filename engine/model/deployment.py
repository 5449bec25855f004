"""A deployment job: one strategy over the targets of one environment."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from engine.model import identity
from engine.model.agent_task import AgentTask, TaskResult
from engine.model.base import Name, Timestamp, Value
from engine.model.failure import Failure
from engine.model.freeze import Closure, FreezeExemptions
from engine.model.promotion import PromotionSnapshot
from engine.model.strategy import Strategy


class DeploymentRequest(Value):
    """The input of the workflow `deployment.execute`.

    Attributes:
        attempt: of the node; each is a job of its own.
        has_begun: whether another deployment of the promotion has changed targets already.
    """

    promotion: PromotionSnapshot
    node_id: Name
    strategy: Strategy
    attempt: int = Field(default=1, ge=1)
    exemptions: FreezeExemptions = FreezeExemptions()
    has_begun: bool = False

    @property
    def job_id(self) -> UUID:
        """The id of the job."""
        return identity.job_id(self.promotion.promotion_id, self.node_id, self.attempt)


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


class DeploymentPause(Value):
    """Word that a deployment waits for a freeze to end, or goes on.

    Attributes:
        workflow_id: of the deployment, which wants to be told when freezes change.
        closure: what it waits for; None when it goes on.
    """

    node_id: Name
    workflow_id: str
    closure: Closure | None = None
