"""A promotion: the request, the facts it was resolved to, where it stands, and how it ended."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from engine.model.approval import Vote
from engine.model.base import Digest, Document, Timestamp, Value
from engine.model.canonical import digest_of
from engine.model.environment import Environment
from engine.model.failure import Failure
from engine.model.release import Release
from engine.model.status import PromotionStatus as PromotionStatus
from engine.model.verdict import Decision, GateResult, GateState


class PromotionRequest(Document):
    """The input of the workflow `promotion.request`, plain JSON from any client.

    Attributes:
        release: `name@version`, or the release's UUID.
        environment: the environment's name.
        tenant: the tenant's name.
        requested_by: who asks; a person's or a machine account's name.
        reason: why, for the record.
    """

    release: str = Field(min_length=1)
    environment: str = Field(min_length=1)
    tenant: str = Field(default="default", min_length=1)
    requested_by: str = Field(min_length=1)
    reason: str = ""


class PromotionSnapshot(Value):
    """What a request was resolved to, once, at its start.

    Everything that a promotion decides is decided over this and nothing that changes later.

    Attributes:
        workflow_id: of the `promotion.request` workflow; `promotion/<promotion_id>` unless a
            foreign client chose another.
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
    """The result of the workflow `promotion.request`."""

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
    trace_id: str
    started_at: Timestamp
    ended_at: Timestamp


class StepState(Value):
    """Where one step stands now."""

    node_id: str
    type: str
    status: str
    detail: str = ""


class PromotionState(Value):
    """The answer of the query `status`: where the promotion stands now.

    Attributes:
        waiting_for: what would let it go on, in words for a person; empty when it waits for none.
        binding: what an approval given now is bound to.
    """

    promotion_id: UUID
    status: PromotionStatus
    decision: Decision | None = None
    release: str
    release_id: UUID | None = None
    environment: str
    tenant: str
    requested_by: str
    requested_at: Timestamp
    waiting_for: str = ""
    gates: tuple[GateState, ...] = ()
    votes: tuple[Vote, ...] = ()
    steps: tuple[StepState, ...] = ()
    progress: str = ""
    binding: Digest | None = None
    failure: Failure | None = None
    evidence: EvidenceReference | None = None
    trace_id: str = ""
