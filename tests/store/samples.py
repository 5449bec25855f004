"""Values that the store's tests write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from engine.model import identity
from engine.model.agent_task import AgentTask, RunningVersion, TaskResult, TaskStatus, TaskType
from engine.model.base import Json
from engine.model.canonical import digest_of_bytes
from engine.model.deployment import JobStatus
from engine.model.environment import Environment, EnvironmentDefinition, Gate, Target
from engine.model.promotion import PromotionSnapshot
from engine.model.release import Attachment, AttachmentFormat, Component, Release
from engine.model.strategy import Rolling
from engine.model.template import Node, Template
from engine.store.store import Store

TENANT = "acme"
TENANT_ID = identity.tenant_id(TENANT)
START = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
REPORT = b'{"Results": []}'


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def target(
    environment: UUID, name: str, agent: str = "agent-a", config: dict[str, Json] | None = None
) -> Target:
    return Target(
        id=identity.target_id(environment, name),
        name=name,
        agent=agent,
        agent_id=identity.agent_id(TENANT_ID, agent),
        driver="directory",
        component="web",
        labels={"zone": "b", "arch": "arm64"},
        config=config or {"port": 8080},
    )


def definition(
    name: str = "production",
    targets: Sequence[str] = ("web-2", "web-1", "web-3"),
    *,
    order: int = 1,
    tenant: str = TENANT,
    config: dict[str, Json] | None = None,
) -> EnvironmentDefinition:
    tenant_id = identity.tenant_id(tenant)
    environment_id = identity.environment_id(tenant_id, name)
    return EnvironmentDefinition(
        tenant=tenant,
        environment=Environment(
            id=environment_id,
            tenant_id=tenant_id,
            name=name,
            order=order,
            groups={"release-managers": ("bob", "carol")},
            gates=(Gate(type="approval", name="approval", config={"required": 1}),),
            template=Template(
                name="standard",
                nodes=(Node(id="deploy", type="deploy", timeout=timedelta(hours=1)),),
            ),
            strategy=Rolling(batch_size="50%"),
            sampling=0.1,
        ),
        targets=tuple(target(environment_id, item, config=config) for item in targets),
    )


def release(
    version: str = "1.4.0",
    *,
    tenant: str = TENANT,
    contents: bytes = b"web",
    report: bytes = REPORT,
) -> Release:
    tenant_id = identity.tenant_id(tenant)
    attachment = Attachment(
        name="scan.json",
        format=AttachmentFormat.TRIVY_JSON,
        digest=digest_of_bytes(report),
        size=len(report),
    )
    return Release(
        id=identity.release_id(tenant_id, "shop", version),
        tenant_id=tenant_id,
        name="shop",
        version=version,
        components=(
            Component(
                name="web",
                artifact="file:///srv/web.tar.gz",
                digest=digest_of_bytes(contents),
                attachments=(attachment, attachment.model_copy(update={"name": "again.json"})),
            ),
            Component(name="api", artifact="oci://registry/api", digest=digest_of_bytes(b"api")),
        ),
    )


def contents(report: bytes = REPORT) -> dict[str, bytes]:
    return {digest_of_bytes(report): report}


def snapshot(
    number: int = 1,
    *,
    of: Release | None = None,
    to: EnvironmentDefinition | None = None,
    tenant: str = TENANT,
) -> PromotionSnapshot:
    to = to or definition(tenant=tenant)
    tenant_id = identity.tenant_id(tenant)
    return PromotionSnapshot(
        promotion_id=identity.promotion_id(f"{tenant}-{number}", "first-run"),
        workflow_id=f"{tenant}-{number}",
        tenant=tenant,
        tenant_id=tenant_id,
        release=of or release(tenant=tenant),
        environment=to.environment,
        target_count=len(to.targets),
        requested_by="alice",
        user_id=identity.user_id(tenant_id, "alice"),
        reason="because",
        requested_at=after(number),
    )


def tasks(promotion: PromotionSnapshot, targets: Sequence[Target]) -> list[AgentTask]:
    job = identity.job_id(promotion.promotion_id, "deploy")
    component = promotion.release.components[0]
    return [
        AgentTask(
            id=identity.task_id(job, item.id, component.name, kind),
            type=kind,
            job_id=job,
            promotion_id=promotion.promotion_id,
            tenant_id=promotion.tenant_id,
            release=promotion.release.ref,
            component=component,
            target=item,
            timeout=timedelta(minutes=5),
        )
        for item in targets
        for kind in (TaskType.PULL, TaskType.DEPLOY)
    ]


def running(promotion: PromotionSnapshot) -> RunningVersion:
    component = promotion.release.components[0]
    return RunningVersion(
        release=promotion.release.ref, component=component.name, digest=component.digest
    )


def result(
    task: AgentTask,
    runs: RunningVersion | None,
    *,
    status: TaskStatus = TaskStatus.SUCCEEDED,
    ended: float = 60,
) -> TaskResult:
    return TaskResult(
        task_id=task.id,
        type=task.type,
        target=task.target.name,
        target_id=task.target.id,
        agent=task.target.agent,
        agent_id=task.target.agent_id,
        component=task.component.name,
        status=status,
        attempt=2,
        changed=True,
        after=runs,
        started_at=after(ended - 5),
        ended_at=after(ended),
    )


async def opened(store: Store, number: int = 1, version: str = "1.4.0") -> PromotionSnapshot:
    """A promotion on record, with the environment and the release that it needs."""
    to, of = definition(), release(version)
    await store.environments.apply(to, at=START)
    await store.releases.register(TENANT, of, contents(), at=START)
    promotion = snapshot(number, of=of, to=to)
    await store.promotions.open(promotion, f"promotion/{number}", "run-1", TRACE_ID)
    return promotion


async def start_job(store: Store, promotion: PromotionSnapshot, started: float = 30) -> UUID:
    """The id of a job that is on record as running."""
    job = identity.job_id(promotion.promotion_id, "deploy")
    await store.executions.record_job(
        promotion.promotion_id,
        job,
        "deploy",
        "rolling",
        JobStatus.RUNNING,
        target_count=promotion.target_count,
        batch_size=2,
        started_at=after(started),
        ended_at=None,
    )
    return job
