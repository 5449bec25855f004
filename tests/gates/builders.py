"""Values that the gates' tests decide over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from engine.errors import InputError, NotFoundError
from engine.gates.protocol import GateContext
from engine.model.approval import Vote, VoteDecision
from engine.model.base import Json
from engine.model.canonical import digest_of_bytes
from engine.model.environment import Environment, Gate
from engine.model.freeze import Freeze
from engine.model.identity import environment_id, release_id, tenant_id, user_id
from engine.model.promotion import PromotionSnapshot
from engine.model.release import Attachment, AttachmentFormat, Component, Release
from engine.model.standing import Standing
from engine.model.strategy import AllAtOnce
from engine.model.template import Node, Template
from engine.plugins.calls import Unrecorded

TENANT = tenant_id("default")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GROUPS = {"leads": ("bob", "carol"), "ops": ("carol", "dave"), "empty": ()}
PLAIN = Template(name="plain", nodes=(Node(id="deploy", type="deploy"),))


def attachment(name: str, data: bytes, format: str = "trivy-json") -> Attachment:
    return Attachment(
        name=name,
        format=AttachmentFormat(format),
        digest=digest_of_bytes(data),
        size=len(data),
    )


def component(name: str = "web", *attachments: Attachment) -> Component:
    return Component(
        name=name,
        artifact=f"file:///srv/{name}.tar.gz",
        digest=digest_of_bytes(name.encode()),
        attachments=attachments,
    )


def promotion(
    *,
    components: Sequence[Component] = (),
    gates: Sequence[Gate] = (),
    template: Template = PLAIN,
    groups: Mapping[str, tuple[str, ...]] = GROUPS,
    requested_by: str = "alice",
) -> PromotionSnapshot:
    return PromotionSnapshot(
        promotion_id=UUID("5b1d5b3c-8f3c-4b57-9d3c-0d2f6a2f6a10"),
        workflow_id="promotion/5b1d5b3c-8f3c-4b57-9d3c-0d2f6a2f6a10",
        tenant="default",
        tenant_id=TENANT,
        release=Release(
            id=release_id(TENANT, "web", "1.0.0"),
            tenant_id=TENANT,
            name="web",
            version="1.0.0",
            components=tuple(components) or (component(),),
        ),
        environment=Environment(
            id=environment_id(TENANT, "production"),
            tenant_id=TENANT,
            name="production",
            order=1,
            groups=dict(groups),
            gates=tuple(gates),
            template=template,
            strategy=AllAtOnce(),
        ),
        target_count=3,
        requested_by=requested_by,
        user_id=user_id(TENANT, requested_by),
        requested_at=NOON,
    )


def context(
    gate_type: str,
    config: Mapping[str, Json],
    *,
    snapshot: PromotionSnapshot | None = None,
    votes: Sequence[Vote] = (),
    opened_at: datetime = NOON,
    now: datetime = NOON,
) -> GateContext:
    return GateContext(
        gate=Gate(type=gate_type, name="checked", config=dict(config)),
        promotion=snapshot or promotion(),
        votes=tuple(votes),
        opened_at=opened_at,
        now=now,
    )


def vote(
    snapshot: PromotionSnapshot,
    user: str,
    decision: str = "approve",
    *,
    comment: str = "",
    at: datetime = NOON,
    binding: str | None = None,
) -> Vote:
    return Vote(
        user=user,
        decision=VoteDecision(decision),
        comment=comment,
        binding=binding or snapshot.binding,
        at=at,
    )


class Services:
    """What gates ask for, from values that a test gives.

    Attributes:
        standings: by environment.
        beats: how often a gate said that it is at work.
    """

    def __init__(
        self,
        *stored: bytes,
        standings: Mapping[str, Standing] | None = None,
        freezes: Sequence[Freeze] = (),
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.beats = 0
        self._stored = {digest_of_bytes(data): data for data in stored}
        self._standings = standings or {}
        self._freezes = tuple(freezes)
        self._secrets = secrets or {}

    async def attachment(self, digest: str) -> bytes:
        try:
            return self._stored[digest]
        except KeyError:
            raise NotFoundError("digest", f"nothing is stored under {digest}") from None

    async def standing(self, environment: str) -> Standing:
        try:
            return self._standings[environment]
        except KeyError:
            raise NotFoundError("environment", f"there is none called {environment!r}") from None

    async def freezes(self) -> tuple[Freeze, ...]:
        return self._freezes

    async def secret(self, reference: str) -> str:
        try:
            return self._secrets[reference]
        except KeyError:
            raise InputError(reference, "is not set") from None

    @property
    def calls(self) -> Unrecorded:
        return Unrecorded()

    def heartbeat(self) -> None:
        self.beats += 1
