"""An environment: where releases go, and under which rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from engine.model.base import Document, Duration, Json, Name, Timestamp, Value
from engine.model.canonical import digest_of
from engine.model.status import PromotionStatus
from engine.model.strategy import AllAtOnce, Strategy
from engine.model.template import Template


class QueuePolicy(StrEnum):
    """Which of the promotions that wait for an environment is the next."""

    FIFO = "fifo"
    LATEST_WINS = "latest-wins"


class Overriders(Document):
    """Who may pass over a gate, with a reason.

    Attributes:
        groups: names of the environment's groups.
        users: people besides.
    """

    groups: tuple[Name, ...] = ()
    users: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    def people(self, groups: Mapping[str, Sequence[str]]) -> frozenset[str]:
        """Everybody who may; a group that does not exist has no members."""
        return frozenset(self.users).union(*(groups.get(name, ()) for name in self.groups))


class Gate(Document):
    """A gate as configured in an environment; `config` is checked by the gate's own type.

    Attributes:
        when: a CEL expression; while it is false the gate is skipped. Empty: always asked.
        on_error: what becomes of the promotion when the gate breaks instead of deciding.
        on_rollback: whether a rollback has to pass it too; when left out, its type says.
        override: who may pass over it; when left out, nobody.
    """

    type: str
    name: Name = Field(default="", validate_default=False)
    config: dict[str, Json] = Field(default_factory=dict)
    when: str = ""
    on_error: Literal["deny", "allow"] = "deny"
    on_rollback: Literal["ask", "skip"] | None = None
    override: Overriders | None = None


class AutoPromotion(Document):
    """Promoting by rule what has succeeded in another environment.

    Attributes:
        after: the environment in which a release has to have succeeded.
        soak: how long it must have been there without a failure or another release since.
    """

    after: Name
    soak: Duration = Field(default=timedelta(0), ge=timedelta(0), le=timedelta(days=365))


class ApproverKey(Document):
    """A person's public key for signed approvals.

    Attributes:
        public_key: PEM, SubjectPublicKeyInfo (https://www.rfc-editor.org/rfc/rfc7468#section-13):
            ECDSA P-256 or Ed25519.
        until: from when on it signs nothing any more.
    """

    public_key: str
    until: Timestamp | None = None


class Delegation(Document):
    """One person's vote given to another for a time; `from` in a file.

    Attributes:
        giver: whose right it is.
        to: who may vote in their place.
        until: when that ends.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
    )

    giver: str = Field(min_length=1, alias="from")
    to: str = Field(min_length=1)
    until: Timestamp
    reason: str = ""


class TargetDocument(Document):
    """A target as written in an environment file.

    Attributes:
        agent: the agent beside the target; its task queue is `agent.<agent>`.
        driver: how the agent changes the target, e.g. `directory`.
        component: which of the release's components runs here; may be left out when the release
            has only one.
        config: what the driver takes; checked by it.
    """

    name: Name
    agent: Name
    driver: str = "directory"
    component: Name | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Json] = Field(default_factory=dict)


class EnvironmentDocument(Document):
    """One environment of an environment file.

    Attributes:
        template: a built-in or applied template's `name` or `name@version`, or one written out;
            a name alone means the version that is the newest when a promotion begins.
        parameters: values for the template's parameters.
        queue: whether promotions that wait for the environment go in the order of their request,
            or a newer one takes the place of those before it.
        auto: which releases are promoted here without anybody asking.
        sampling: share of its promotions' traces that are exported; by its name when left out.
        keep_traces: statuses at the end, beside errors, for which a trace is exported all the same,
            e.g. `[denied, rejected]`.
    """

    name: Name
    order: int = 0
    targets: tuple[TargetDocument, ...] = Field(min_length=1)
    gates: tuple[Gate, ...] = ()
    template: str | Template = "standard"
    parameters: dict[str, Json] = Field(default_factory=dict)
    strategy: Strategy = AllAtOnce()
    queue: QueuePolicy = QueuePolicy.FIFO
    auto: AutoPromotion | None = None
    sampling: float | None = Field(default=None, ge=0, le=1)
    keep_traces: tuple[PromotionStatus, ...] = ()


class EnvironmentFile(Document):
    """An environment file, as `promote apply -f` reads it.

    Attributes:
        groups: people by group; gates name groups.
        keys: people's public keys for signed approvals.
        delegations: who votes for whom, and until when.
    """

    tenant: Name = "default"
    groups: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
    keys: dict[str, tuple[ApproverKey, ...]] = Field(default_factory=dict)
    delegations: tuple[Delegation, ...] = ()
    environments: tuple[EnvironmentDocument, ...] = Field(min_length=1)


class Target(Value):
    """A target with its ids."""

    id: UUID
    name: Name
    agent: Name
    agent_id: UUID
    driver: str
    component: Name | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Json] = Field(default_factory=dict)


class Environment(Value):
    """An applied environment without its targets, which may be thousands.

    Attributes:
        template_ref: `name` or `name@version` of an applied template to look up when a promotion
            begins; None when `template` was written out or is built in.
        template: in a promotion, the one that it follows, with all includes written out.
    """

    id: UUID
    tenant_id: UUID
    name: Name
    order: int
    groups: dict[str, tuple[str, ...]]
    gates: tuple[Gate, ...]
    template: Template
    template_ref: str | None = None
    parameters: dict[str, Json] = Field(default_factory=dict)
    keys: dict[str, tuple[ApproverKey, ...]] = Field(default_factory=dict)
    delegations: tuple[Delegation, ...] = ()
    strategy: Strategy
    queue: QueuePolicy = QueuePolicy.FIFO
    auto: AutoPromotion | None = None
    sampling: float | None = None
    keep_traces: tuple[PromotionStatus, ...] = ()

    @property
    def policy_digest(self) -> str:
        """Digest of the rules that an approval is bound to: gates, groups, keys, delegations."""
        return digest_of(
            {
                "gates": [gate.model_dump(mode="json") for gate in self.gates],
                "groups": {name: list(members) for name, members in self.groups.items()},
                "keys": {
                    user: [key.model_dump(mode="json") for key in keys]
                    for user, keys in self.keys.items()
                },
                "delegations": [each.model_dump(mode="json") for each in self.delegations],
            }
        )


class EnvironmentDefinition(Value):
    """An applied environment with its targets, as the store keeps it."""

    tenant: Name
    environment: Environment
    targets: tuple[Target, ...]

    @property
    def digest(self) -> str:
        """Digest of the whole definition, to tell whether applying it changes anything."""
        return digest_of(self)
