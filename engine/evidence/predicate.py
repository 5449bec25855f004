"""The predicate of a promotion's statement, version 0.1: the record that third parties read.

The models are the definition of the format; docs/schemas/promotion-predicate-v0.1.json is generated
from them. Within version 0.1 fields may be added and none may be removed or change its meaning;
readers ignore fields that they do not know, as in-toto's parsing rules demand:
https://github.com/in-toto/attestation/blob/main/spec/v1/README.md#parsing-rules
"""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from engine.dsse.records import DigestSet, Record
from engine.model.agent_task import TaskStatus, TaskType
from engine.model.approval import VoteDecision
from engine.model.base import Json, Name, Timestamp
from engine.model.deployment import JobStatus
from engine.model.execution import StepStatus
from engine.model.promotion import PromotionStatus
from engine.model.release import Version
from engine.model.verdict import AttributeValue, Decision, GateOutcome

PREDICATE_TYPE = "https://promotion-engine.dev/attestations/promotion/v0.1"
"""The predicate type, a TypeURI
(https://github.com/in-toto/attestation/blob/main/spec/v1/field_types.md#TypeURI)."""


class ResourceDescriptor(Record):
    """Something by name and content.

    https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md
    """

    name: str
    """What it is called; unique within its list."""
    digest: DigestSet
    """What its bytes are."""


class FailureRecord(Record):
    """What broke."""

    type: str
    """The error's class name."""
    message: str
    """One line for a person."""


class PromotionRecord(Record):
    """The promotion itself."""

    id: UUID
    """The promotion's id."""
    status: PromotionStatus
    """How it ended."""
    decision: Decision
    """The decision over all gates."""
    reason: str
    """Why the promotion was asked for, in the requester's words; may be empty."""
    requested_by: str
    """Who asked for it."""
    requested_at: Timestamp
    """When it was asked for."""
    started_at: Timestamp
    """When its workflow began."""
    finished_at: Timestamp
    """When its work was over; evidence is made after this."""
    binding: DigestSet
    """What an approval must be bound to in order to count: the SHA-256 of the RFC 8785 JSON object
    {"policy": P, "release": R, "template": T}, where each is written `sha256:<hex>`."""
    retry_of: UUID | None = None
    """The promotion that failed, and that this one tries again."""


class ReleaseRecord(Record):
    """The release that was promoted."""

    id: UUID
    """The release's id."""
    name: Name
    """The release's name."""
    version: Version
    """The release's version."""
    digest: DigestSet
    """Over name, version, and the digests of all components and attachments."""


class TenantRecord(Record):
    """The tenant to whom the promotion belongs."""

    id: UUID
    """The tenant's id."""
    name: str
    """The tenant's name."""


class EnvironmentRecord(Record):
    """The environment that the release was promoted to."""

    id: UUID
    """The environment's id."""
    name: Name
    """The environment's name."""
    policy_digest: DigestSet
    """Over the gates, groups, keys and delegations that were in force when the promotion began."""


class TemplateRecord(Record):
    """The template that the promotion followed."""

    name: Name
    """The template's name."""
    version: str
    """The template's version."""
    digest: DigestSet
    """Over the whole template."""


class OverrideRecord(Record):
    """A person's word that a gate is to be passed over."""

    user: str
    """Whose word it is."""
    reason: str
    """Why."""
    at: Timestamp
    """When it was accepted."""


class GateRecord(Record):
    """The final word of one gate."""

    name: str
    """The gate's name, unique within the environment."""
    type: str
    """The gate's type, e.g. `security`."""
    outcome: GateOutcome
    """What the gate said in the end."""
    reason: str
    """Why, in one sentence."""
    inputs: tuple[ResourceDescriptor, ...]
    """What the gate read, e.g. a scan report, ordered by name."""
    attributes: dict[str, AttributeValue]
    """The gate's figures, e.g. `vulnerabilities.critical`."""
    evidence: dict[str, Json] | None = None
    """What the gate learnt that the digests of its inputs do not tell, such as an answer or a
    sample; absent when nothing."""
    overridden: OverrideRecord | None = None
    """Present exactly when the outcome is `overridden`."""
    rejected_by: str | None = None
    """Whose explicit rejection the outcome is; absent when it is nobody's."""
    started_at: Timestamp
    """When the gate was asked for the first time."""
    ended_at: Timestamp
    """When it had its final word."""
    error: FailureRecord | None = None
    """Present exactly when the gate broke instead of deciding."""


class SignatureRecord(Record):
    """Something that a person signed, whole, so that it can be verified by itself."""

    envelope: dict[str, Json]
    """The DSSE envelope; see docs/approvals.md for what is in it."""
    key_id: str | None = None
    """securesystemslib's id of the key that it was verified with."""
    public_key: str | None = None
    """That key as PEM, as it was registered for the person when the promotion began. To be believed
    as far as this record is; who wants more compares it with the person's key."""


class WithdrawalRecord(Record):
    """A vote that was taken back."""

    at: Timestamp
    """When."""
    reason: str
    """Why, in the voter's words; may be empty."""
    signature: SignatureRecord | None = None
    """What the voter signed to take it back; absent when nothing was."""


class ApprovalRecord(Record):
    """One person's vote."""

    user: str
    """Who voted."""
    decision: VoteDecision
    """What they said."""
    comment: str
    """Why, in their words; may be empty."""
    at: Timestamp
    """When the vote was accepted."""
    binding: DigestSet
    """What the vote is bound to."""
    counts: bool
    """Whether that is this promotion's binding and the vote was not taken back; a vote for anything
    else counts for nothing."""
    on_behalf_of: str | None = None
    """Whose right it was, when the person voted for somebody else by delegation."""
    signature: SignatureRecord | None = None
    """What the voter signed; absent when nothing was."""
    withdrawal: WithdrawalRecord | None = None
    """Present exactly when the vote was taken back."""


class StepRecord(Record):
    """The run of one node of the template."""

    node_id: Name
    """The node's id in the template."""
    type: str
    """The node's type, e.g. `deploy`."""
    run_id: UUID
    """The id of this run."""
    status: StepStatus
    """How it ended."""
    detail: str
    """A line for a person; may be empty."""
    inputs_digest: DigestSet
    """Over the RFC 8785 JSON of the node's inputs as its expressions left them, which are not shown
    because they may be confidential."""
    outputs_digest: DigestSet | None = None
    """Over the RFC 8785 JSON of what the node handed on to others; absent when nothing."""
    attempt: int | None = None
    """The attempt that came to this end, where it was not the first; 2 is the second."""
    compensates: Name | None = None
    """The node whose work this step took back; absent for the template's own steps."""
    taken_over_from: UUID | None = None
    """The promotion that did this step, where it was not done again."""
    failure: FailureRecord | None = None
    """What broke; absent when nothing did."""
    started_at: Timestamp
    """When it started."""
    ended_at: Timestamp
    """When it ended."""


class RunningRecord(Record):
    """What a target runs."""

    release: str
    """The release as `name@version`."""
    component: Name
    """The component's name."""
    digest: DigestSet
    """The component's bytes."""


class TaskRecord(Record):
    """One kind of work that an agent did on one target."""

    id: UUID
    """The task's id."""
    type: TaskType
    """The kind of work."""
    target: Name
    """The target's name."""
    target_id: UUID
    """The target's id."""
    agent: Name
    """The agent that did the work."""
    agent_id: UUID
    """That agent's id."""
    component: Name
    """The component that the work was about."""
    status: TaskStatus
    """How it ended."""
    attempt: int = Field(ge=1)
    """Which attempt this was; 1 is the first."""
    changed: bool
    """False when the target was already as wanted."""
    before: RunningRecord | None = None
    """What the target ran before the task; absent when nothing or not known."""
    after: RunningRecord | None = None
    """What the target ran after the task; absent when nothing or not known."""
    failure: FailureRecord | None = None
    """What broke; absent when nothing did."""
    started_at: Timestamp
    """When it started, by the agent's clock where the agent reported it."""
    ended_at: Timestamp
    """When it ended, by the same clock."""


class DeploymentRecord(Record):
    """One deployment job."""

    job_id: UUID
    """The job's id."""
    node_id: Name
    """The template node that started it."""
    strategy: str
    """How it walked over the targets, e.g. `rolling`."""
    status: JobStatus
    """How it ended."""
    target_count: int = Field(ge=0)
    """How many targets the job was for."""
    batch_size: int = Field(ge=0)
    """How many targets at a time."""
    tasks: tuple[TaskRecord, ...]
    """What was done on the targets, in the order in which the deployment reports it."""
    failure: FailureRecord | None = None
    """What broke; absent when nothing did."""
    started_at: Timestamp
    """When it started."""
    ended_at: Timestamp
    """When it ended."""


class WorkflowRecord(Record):
    """The Temporal workflow that carried out the promotion."""

    id: str
    """Its workflow id."""
    run_id: str
    """The id of the run that came to this end."""


class PromotionPredicate(Record):
    """The record of one promotion, whatever its outcome. All times are RFC 3339 in UTC."""

    promotion: PromotionRecord
    """Who asked for it and when, and how it ended."""
    release: ReleaseRecord
    """What was promoted; its components are the statement's subjects."""
    tenant: TenantRecord
    """For whom."""
    environment: EnvironmentRecord
    """Where to."""
    template: TemplateRecord
    """Along which steps."""
    gates: tuple[GateRecord, ...]
    """What each gate said."""
    approvals: tuple[ApprovalRecord, ...]
    """Who voted, and how."""
    steps: tuple[StepRecord, ...]
    """What was done; empty when the promotion was not allowed."""
    deployments: tuple[DeploymentRecord, ...]
    """What was done on each target."""
    failure: FailureRecord | None = None
    """What broke; absent when nothing did."""
    trace_id: str
    """The OpenTelemetry trace of the promotion, 32 lower-case hexadecimal digits."""
    workflow: WorkflowRecord
    """Where its history is."""
    supersedes: DigestSet | None = None
    """The statement that this one takes the place of, because the promotion's workflow was reset
    after it had ended; absent otherwise."""
