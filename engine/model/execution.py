"""The run of a template: its steps and how they ended."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from engine.model.approval import Vote
from engine.model.base import Json, Name, Timestamp, Value
from engine.model.deployment import DeploymentResult
from engine.model.failure import Failure
from engine.model.freeze import FreezeExemptions
from engine.model.promotion import PromotionSnapshot


class StepStatus(StrEnum):
    """Where a step stands. A halted one has failed, and waits for a person to try it again."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    HALTED = "halted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


MAX_OUTPUT_BYTES = 32 * 1024
"""How much one step may hand on to others."""

MAX_RUN_OUTPUT_BYTES = 512 * 1024
"""How much the steps of one run may hand on together: all of it travels in single payloads."""


class StepResult(Value):
    """One node's run.

    Attributes:
        outputs: what the step hands on to others; at most `MAX_OUTPUT_BYTES` as JSON, no secrets.
        attempt: the attempt that came to this end; 1 is the first.
        compensates: the node whose work this step took back; None for the template's own steps.
        taken_over_from: the promotion whose step this was, where it was not run again.
    """

    node_id: Name
    type: str
    run_id: UUID
    status: StepStatus
    detail: str = ""
    failure: Failure | None = None
    inputs: dict[str, Json] = Field(default_factory=dict)
    outputs: dict[str, Json] = Field(default_factory=dict)
    attempt: int = 1
    compensates: Name | None = None
    taken_over_from: UUID | None = None
    started_at: Timestamp
    ended_at: Timestamp


class ExecutionRequest(Value):
    """The input of the workflow `workflow.execute`.

    Attributes:
        taken_over: steps of the promotion that this one tries again, which need not run any more;
            in the order of their ends.
    """

    promotion: PromotionSnapshot
    votes: tuple[Vote, ...] = ()
    exemptions: FreezeExemptions = FreezeExemptions()
    taken_over: tuple[StepResult, ...] = ()


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
