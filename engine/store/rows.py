"""What the repositories return where the model has no value for it."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from engine.model.agent_task import RunningVersion, TaskStatus, TaskType
from engine.model.approval import Vote
from engine.model.base import Digest, Name, Timestamp, Value
from engine.model.environment import EnvironmentDefinition
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot, PromotionStatus
from engine.model.template import Template
from engine.model.verdict import Decision, GateResult


class RevisionRow(Value):
    """A definition that an environment had.

    Attributes:
        number: 1 for the first.
    """

    number: int = Field(ge=1)
    digest: Digest
    definition: EnvironmentDefinition
    applied_at: Timestamp


class TemplateRow(Value):
    """A version of a template that was applied.

    Attributes:
        template: as it is written.
        sequence: 1 for the first version that was applied under its name, then one more each.
    """

    template: Template
    sequence: int = Field(ge=1)
    digest: Digest
    applied_at: Timestamp


class PromotionRow(Value):
    """A promotion as recorded.

    Attributes:
        status_at: since when it has this status.
        superseded_by: the promotion that took its place in the queue.
        gates: results so far, by the gates' start and name.
        votes: each voter's latest, oldest first.
        run_id: Temporal's id of the run that opened the record.
        status_run_id: the run that the status is of; another one after a reset.
        trace_id: 32 lower-case hexadecimal digits.
        started_at: when it was requested.
        ended_at: present exactly when the status is final.
    """

    snapshot: PromotionSnapshot
    status: PromotionStatus
    status_at: Timestamp
    decision: Decision | None = None
    failure: Failure | None = None
    superseded_by: UUID | None = None
    gates: tuple[GateResult, ...] = ()
    votes: tuple[Vote, ...] = ()
    workflow_id: str
    run_id: str
    status_run_id: str
    trace_id: str
    started_at: Timestamp
    ended_at: Timestamp | None = None

    @property
    def id(self) -> UUID:
        """The promotion's id."""
        return self.snapshot.promotion_id


class TaskRow(Value):
    """An agent task as recorded.

    Attributes:
        started_at, ended_at: None until there is a result.
    """

    task_id: UUID
    type: TaskType
    target: Name
    target_id: UUID
    agent: Name
    agent_id: UUID
    component: Name
    status: TaskStatus
    attempt: int
    changed: bool
    before: RunningVersion | None = None
    after: RunningVersion | None = None
    failure: Failure | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None


class TargetRow(Value):
    """What a target runs by the record: the outcome of its last successful deploy task.

    Attributes:
        running: None when nothing has been deployed to it.
        since: when that deploy task ended.
    """

    target: Name
    target_id: UUID
    running: RunningVersion | None = None
    since: Timestamp | None = None


class EvidenceRow(Value):
    """A promotion's signed evidence.

    Attributes:
        statement: the in-toto Statement, byte by byte as signed.
        envelope: the DSSE envelope around it.
        finished_at: when the work that it is about was over.
        sha256: 64 lower-case hexadecimal digits, over the statement.
        key_id: the key that signed the envelope.
    """

    id: UUID
    promotion_id: UUID
    finished_at: Timestamp
    statement: bytes
    envelope: bytes
    sha256: str
    key_id: str
