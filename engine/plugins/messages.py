"""What plugins are told and answer, by method.

All parameters have the offer's `name` and `inputs`, and the `secrets` that it takes.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from engine.model.agent_task import AgentTask, RunningVersion
from engine.model.base import Document, Json, Name, Timestamp, Value
from engine.model.promotion import PromotionSnapshot
from engine.model.release import Component
from engine.model.verdict import GateResult

Scalar = str | bool | int | float


class ReleaseFacts(Value):
    """The release of a promotion."""

    name: str
    version: str
    digest: str
    committers: tuple[str, ...] = ()
    components: tuple[Component, ...]


class PromotionFacts(Value):
    """What a plugin is told of a promotion.

    Attributes:
        parameters: of the template.
        is_rollback: whether an earlier release comes back.
    """

    id: str
    tenant: str
    environment: str
    release: ReleaseFacts
    requested_by: str
    requested_at: Timestamp
    reason: str = ""
    is_rollback: bool = False
    parameters: dict[str, Json] = Field(default_factory=dict)

    @classmethod
    def of(cls, promotion: PromotionSnapshot) -> PromotionFacts:
        """The facts of `promotion`; neither its rules nor its people are among them."""
        release = promotion.release
        return cls(
            id=str(promotion.promotion_id),
            tenant=promotion.tenant,
            environment=promotion.environment.name,
            release=ReleaseFacts(
                name=release.name,
                version=release.version,
                digest=release.digest,
                committers=release.committers,
                components=release.components,
            ),
            requested_by=promotion.requested_by,
            requested_at=promotion.requested_at,
            reason=promotion.reason,
            is_rollback=promotion.is_rollback,
            parameters=promotion.parameters,
        )


class GateFacts(Value):
    """The last word of another gate of the promotion."""

    name: str
    type: str
    outcome: str
    reason: str

    @classmethod
    def of(cls, result: GateResult) -> GateFacts:
        """The facts of `result`."""
        return cls(
            name=result.name,
            type=result.type,
            outcome=result.outcome.value,
            reason=result.reason,
        )


class Params(Value):
    """What every call but `describe` has.

    Attributes:
        name: of the offer that is meant.
        inputs: what its user wrote, held against its schema.
        secrets: by the names that the offer takes; neither logged nor kept.
    """

    name: str = ""
    inputs: dict[str, Json] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict, repr=False)


class GateParams(Params):
    """`gate.evaluate`.

    Attributes:
        gate: the gate's name in the environment.
        results: of the promotion's gates that have decided.
        memory: what the gate left with its latest `defer`.
        opened_at: when it was asked for the first time.
        now: the moment to decide for.
    """

    gate: str
    promotion: PromotionFacts
    results: tuple[GateFacts, ...] = ()
    memory: dict[str, Json] = Field(default_factory=dict)
    opened_at: Timestamp
    now: Timestamp


class GateReply(Document):
    """The answer to `gate.evaluate`.

    Attributes:
        reason: one sentence that a person can act on.
        attributes: figures for the gate's span, where their names begin with the plugin's id.
        evidence: what was learnt, for the record; no secrets.
        until: with `defer`: when to ask again.
        who: with `defer`: the people who can act.
        memory: with `defer`: given back when the gate is asked again.
    """

    verdict: Literal["allow", "deny", "defer"]
    reason: str = Field(min_length=1, max_length=4096)
    attributes: dict[Name, Scalar] = Field(default_factory=dict, max_length=32)
    evidence: dict[str, Json] = Field(default_factory=dict)
    until: Timestamp | None = None
    who: tuple[str, ...] = ()
    memory: dict[str, Json] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _defers_to_a_time(self) -> GateReply:
        # Nothing else would make the engine ask it again.
        if self.verdict == "defer" and self.until is None:
            raise ValueError("defers without `until`, the time at which to ask again")
        return self


class StepParams(Params):
    """`step.run`; `step` is the node's id, `attempt` 1 for the first."""

    step: str
    attempt: int = 1
    promotion: PromotionFacts


class StepReply(Document):
    """The answer to `step.run`.

    Attributes:
        succeeded: False for a definite negative.
        detail: in a sentence what came of it.
        outputs: for the steps after it; no secrets.
    """

    succeeded: bool
    detail: str = Field(default="", max_length=4096)
    outputs: dict[str, Json] = Field(default_factory=dict)


class NotifyParams(Params):
    """`notify`.

    Attributes:
        subject: the message in a line.
        text: the message.
    """

    subject: str
    text: str
    promotion: PromotionFacts


class NotifyReply(Document):
    """The answer to `notify`; `detail` says where it went."""

    detail: str = Field(default="", max_length=4096)


class SecretParams(Params):
    """`secret.resolve`; `reference` is what stands behind `plugin:<id>:`."""

    reference: str


class SecretReply(Document):
    """The answer to `secret.resolve`."""

    secret: str = Field(repr=False)


class DriverParams(Params):
    """`driver.pull`, `driver.deploy` and `driver.health_check`; the inputs are the target's.

    Attributes:
        directory: of the target, owned by the agent; it exists.
    """

    task: AgentTask
    directory: str


class DriverReply(Document):
    """The answer to a driver's methods.

    Attributes:
        changed: False when the target was already as wanted.
        before, after: what the target ran before and after; null when nothing.
    """

    changed: bool
    before: RunningVersion | None = None
    after: RunningVersion | None = None
    detail: str = Field(default="", max_length=4096)
