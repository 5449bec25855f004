"""A promotion: the request, the facts it was resolved to, where it stands, and how it ended."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from engine.model.approval import Vote
from engine.model.base import Digest, Document, Json, Timestamp, Value
from engine.model.canonical import digest_of
from engine.model.environment import Environment
from engine.model.failure import Failure
from engine.model.freeze import Closure
from engine.model.release import Release
from engine.model.status import PromotionStatus as PromotionStatus
from engine.model.verdict import Decision, GateResult, GateState


class RetryOf(Document):
    """The promotion that one tries again.

    Attributes:
        node: the node that runs again, with all that need it, though it may have succeeded; empty
            for just what had not.
    """

    promotion: UUID
    node: str = ""


class PromotionRequest(Document):
    """The input of the workflow `promotion.request`, plain JSON from any client.

    Attributes:
        release: `name@version`, or the release's UUID.
        environment: the environment's name.
        tenant: the tenant's name.
        requested_by: who asks; a person's or a machine account's name.
        reason: why, for the record.
        parameters: values for the template's parameters, before those of the environment.
        overrides: gates that the requester passes over, and why, by the gate's name; only those
            whose `override` names the requester.
        rollback: that an earlier release is to come back; it must have succeeded there before the
            present one did. Gates that do not hold for rollbacks are skipped.
        retry: a promotion of the same release to the same environment that had failed; the steps
            that it has done are not done again. The gates are asked anew.
    """

    release: str = Field(min_length=1)
    environment: str = Field(min_length=1)
    tenant: str = Field(default="default", min_length=1)
    requested_by: str = Field(min_length=1)
    reason: str = ""
    parameters: dict[str, Json] = Field(default_factory=dict)
    overrides: dict[str, str] = Field(default_factory=dict)
    rollback: bool = False
    retry: RetryOf | None = None


class PromotionSnapshot(Value):
    """What a request was resolved to, once, at its start.

    Everything that a promotion decides is decided over this and nothing that changes later.

    Attributes:
        workflow_id: of the `promotion.request` workflow; `promotion/<promotion_id>` unless a
            foreign client chose another.
        parameters: of the template, all of them, defaults included.
        is_rollback: whether the release comes back to an environment that had it before.
        retry: the promotion that this one tries again.
    """

    promotion_id: UUID
    workflow_id: str
    tenant: str
    tenant_id: UUID
    release: Release
    environment: Environment
    target_count: int
    requested_by: str
    user_id: UUID
    reason: str = ""
    parameters: dict[str, Json] = Field(default_factory=dict)
    is_rollback: bool = False
    retry: RetryOf | None = None
    requested_at: Timestamp

    @property
    def binding(self) -> str:
        """What an approval is bound to: digest over release, template and policy."""
        return digest_of(
            {
                "release": self.release.digest,
                "template": self.environment.template.digest,
                "policy": self.environment.policy_digest,
            }
        )


class EvidenceReference(Value):
    """Where a promotion's evidence is, and what it is."""

    id: UUID
    sha256: str
    key_id: str


class PromotionResult(Value):
    """The result of the workflow `promotion.request`.

    Attributes:
        superseded_by: the promotion that took its place in the queue of its environment.
    """

    promotion_id: UUID
    status: PromotionStatus
    decision: Decision | None
    release: str
    environment: str
    tenant: str
    requested_by: str
    gates: tuple[GateResult, ...] = ()
    failure: Failure | None = None
    evidence: EvidenceReference | None = None
    superseded_by: UUID | None = None
    trace_id: str
    started_at: Timestamp
    ended_at: Timestamp


class StepState(Value):
    """Where one step stands now.

    Attributes:
        attempt: the attempt at hand, or the one that came to the end; 1 is the first.
        until: when it goes on by itself, or gives up; None when it does not, or works.
        who: the people who can act on it, by name; empty for anybody.
        acts: what a person can do for it now: an update's name; empty for nothing.
        outputs: what it handed on to other steps.
        compensates: the node whose work it takes back; None for the template's own steps.
    """

    node_id: str
    type: str
    status: str
    detail: str = ""
    attempt: int = 1
    until: Timestamp | None = None
    who: tuple[str, ...] = ()
    acts: str = ""
    outputs: dict[str, Json] = Field(default_factory=dict)
    compensates: str | None = None

    @property
    def label(self) -> str:
        """The node's id, and whether its work is being taken back."""
        return self.node_id if self.compensates is None else f"{self.node_id} (taken back)"


class PromotionState(Value):
    """The answer of the query `status`: where the promotion stands now.

    Attributes:
        waiting_for: what would let it go on, in words for a person; empty when it waits for none.
        release_digest: of the release; None while the request is not resolved.
        pauses: freezes that it waits for though it was allowed.
        components: the digest of each of the release's components, by name.
        binding: what an approval given now is bound to.
        superseded_by: the promotion that took its place in the queue of its environment.
    """

    promotion_id: UUID
    status: PromotionStatus
    decision: Decision | None = None
    release: str
    release_id: UUID | None = None
    release_digest: Digest | None = None
    components: dict[str, Digest] = Field(default_factory=dict)
    environment: str
    tenant: str
    requested_by: str
    requested_at: Timestamp
    waiting_for: str = ""
    gates: tuple[GateState, ...] = ()
    votes: tuple[Vote, ...] = ()
    steps: tuple[StepState, ...] = ()
    progress: str = ""
    pauses: tuple[Closure, ...] = ()
    binding: Digest | None = None
    failure: Failure | None = None
    evidence: EvidenceReference | None = None
    superseded_by: UUID | None = None
    trace_id: str = ""
