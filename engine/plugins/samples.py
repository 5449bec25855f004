"""A made-up promotion, for calls that try a plugin out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

from engine.model.agent_task import AgentTask, TaskType
from engine.model.canonical import digest_of_bytes
from engine.model.environment import Target
from engine.model.identity import agent_id, job_id, target_id, task_id, tenant_id
from engine.model.release import Component
from engine.plugins.messages import (
    DriverParams,
    GateParams,
    NotifyParams,
    Params,
    PromotionFacts,
    ReleaseFacts,
    SecretParams,
    StepParams,
)
from engine.plugins.protocol import Method

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_TENANT = tenant_id("sample")
_ENVIRONMENT = uuid5(_TENANT, "environment")
_PROMOTION = UUID("5b1d5b3c-8f3c-4b57-9d3c-0d2f6a2f6a10")
_COMPONENT = Component(
    name="web", artifact="https://example.com/web-1.0.0.tar.gz", digest=digest_of_bytes(b"web")
)

KEY = f"{_PROMOTION}/sample"

PROMOTION = PromotionFacts(
    id=str(_PROMOTION),
    tenant="sample",
    environment="staging",
    release=ReleaseFacts(
        name="web",
        version="1.0.0",
        digest=digest_of_bytes(b"release"),
        components=(_COMPONENT,),
    ),
    requested_by="alice",
    requested_at=NOON,
    reason="a rehearsal",
)

_TASKS = {
    Method.DRIVER_PULL: TaskType.PULL,
    Method.DRIVER_DEPLOY: TaskType.DEPLOY,
    Method.DRIVER_HEALTH_CHECK: TaskType.HEALTH_CHECK,
}


def sample(method: Method, directory: Path) -> Params:
    """Parameters of `method`; those of a driver's methods are about `directory`."""
    match method:
        case Method.GATE_EVALUATE:
            return GateParams(gate="sample", promotion=PROMOTION, opened_at=NOON, now=NOON)
        case Method.STEP_RUN:
            return StepParams(step="sample", promotion=PROMOTION)
        case Method.NOTIFY:
            return NotifyParams(subject="web@1.0.0", text="a rehearsal", promotion=PROMOTION)
        case Method.SECRET_RESOLVE:
            return SecretParams(reference="sample")
        case _:
            return DriverParams(task=_task(_TASKS[method]), directory=str(directory))


def _task(type: TaskType) -> AgentTask:
    target = target_id(_ENVIRONMENT, "sample")
    job = job_id(_PROMOTION, "deploy")
    return AgentTask(
        id=task_id(job, target, _COMPONENT.name, type.value),
        type=type,
        job_id=job,
        promotion_id=_PROMOTION,
        tenant_id=_TENANT,
        release="web@1.0.0",
        component=_COMPONENT,
        target=Target(
            id=target,
            name="sample",
            agent="sample",
            agent_id=agent_id(_TENANT, "sample"),
            driver="plugin",
        ),
        timeout=timedelta(minutes=1),
    )
