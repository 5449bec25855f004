"""Values that the gates' tests decide over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from engine.errors import NotFoundError
from engine.gates.protocol import AttachmentReader, GateContext
from engine.model.approval import Vote, VoteDecision
from engine.model.base import Json
from engine.model.canonical import digest_of_bytes
from engine.model.environment import Environment, Gate
from engine.model.identity import environment_id, release_id, tenant_id, user_id
from engine.model.promotion import PromotionSnapshot
from engine.model.release import Attachment, AttachmentFormat, Component, Release
from engine.model.strategy import AllAtOnce
from engine.model.template import Node, Template

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


def reader(*stored: bytes) -> AttachmentReader:
    by_digest = {digest_of_bytes(data): data for data in stored}

    async def read(digest: str) -> bytes:
        try:
            return by_digest[digest]
        except KeyError:
            raise NotFoundError("digest", f"nothing is stored under {digest}") from None

    return read
