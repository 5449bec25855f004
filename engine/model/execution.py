"""The run of a template: its steps and how they ended."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from engine.model.approval import Vote
from engine.model.base import Json, Name, Timestamp, Value
from engine.model.deployment import DeploymentResult
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot


class StepStatus(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class StepResult(Value):
    """One node's run."""

    node_id: Name
    type: str
    run_id: UUID
    status: StepStatus
    detail: str = ""
    failure: Failure | None = None
    inputs: dict[str, Json] = Field(default_factory=dict)
    started_at: Timestamp
    ended_at: Timestamp


class ExecutionRequest(Value):
    """The input of the workflow `workflow.execute`."""

    promotion: PromotionSnapshot
    votes: tuple[Vote, ...] = ()


class ExecutionResult(Value):
    """The end of a template's run; also the detail of the failure when it failed.

    Attributes:
        broke: the failure is none of a step's: the engine itself could not go on.
    """

    run_id: UUID
    template: str
    template_version: str
    status: StepStatus
    steps: tuple[StepResult, ...]
    deployments: tuple[DeploymentResult, ...] = ()
    failure: Failure | None = None
    broke: bool = False
    started_at: Timestamp
    ended_at: Timestamp
