"""What evidence is made from, and what making it returns."""

from __future__ import annotations

from uuid import UUID

from engine.model.approval import Vote
from engine.model.base import Timestamp, Value
from engine.model.deployment import DeploymentResult
from engine.model.execution import StepResult
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot, PromotionStatus
from engine.model.verdict import Decision, GateResult


class EvidenceInput(Value):
    """Everything that the statement says: the workflow's data and times, and nothing else.

    Attributes:
        run_id: Temporal's id of the first run of the workflow's chain of runs.
        supersedes: SHA-256 of the statement that this one takes the place of, 64 lower-case
            hexadecimal digits; None unless the promotion was reset after an end.
    """

    promotion: PromotionSnapshot
    status: PromotionStatus
    decision: Decision
    gates: tuple[GateResult, ...]
    votes: tuple[Vote, ...] = ()
    steps: tuple[StepResult, ...] = ()
    deployments: tuple[DeploymentResult, ...] = ()
    failure: Failure | None = None
    trace_id: str
    workflow_id: str
    run_id: str
    started_at: Timestamp
    finished_at: Timestamp
    supersedes: str | None = None


class GeneratedEvidence(Value):
    """What `evidence.generate` returns: the statement is stored under `id`."""

    id: UUID
    promotion_id: UUID
    sha256: str


class SignedEvidence(Value):
    """What `evidence.sign` returns: the envelope is stored under `id`."""

    id: UUID
    sha256: str
    key_id: str
