"""An environment: where releases go, and under which rules."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from engine.model.base import Document, Json, Name, Value
from engine.model.canonical import digest_of
from engine.model.status import PromotionStatus
from engine.model.strategy import AllAtOnce, Strategy
from engine.model.template import Template


class Gate(Document):
    """A gate as configured in an environment; `config` is checked by the gate's own type."""

    type: str
    name: Name = Field(default="", validate_default=False)
    config: dict[str, Json] = Field(default_factory=dict)


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
        sampling: share of its promotions' traces that are exported; by its name when left out.
        keep_traces: statuses at the end, beside errors, for which a trace is exported all the same,
            e.g. `[denied, rejected]`.
    """

    name: Name
    order: int = 0
    targets: tuple[TargetDocument, ...] = Field(min_length=1)
    gates: tuple[Gate, ...] = ()
    template: str | Template = "standard"
    strategy: Strategy = AllAtOnce()
    sampling: float | None = Field(default=None, ge=0, le=1)
    keep_traces: tuple[PromotionStatus, ...] = ()


class EnvironmentFile(Document):
    """An environment file, as `promote apply -f` reads it.

    Attributes:
        groups: people by group; gates name groups.
    """

    tenant: Name = "default"
    groups: dict[Name, tuple[str, ...]] = Field(default_factory=dict)
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
    """An applied environment without its targets, which may be thousands."""

    id: UUID
    tenant_id: UUID
    name: Name
    order: int
    groups: dict[str, tuple[str, ...]]
    gates: tuple[Gate, ...]
    template: Template
    strategy: Strategy
    sampling: float | None = None
    keep_traces: tuple[PromotionStatus, ...] = ()

    @property
    def policy_digest(self) -> str:
        """Digest of the rules that an approval is bound to: gates and groups."""
        return digest_of(
            {
                "gates": [gate.model_dump(mode="json") for gate in self.gates],
                "groups": {name: list(members) for name, members in self.groups.items()},
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
