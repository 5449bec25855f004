"""Activities of a deployment job: decide who does what, and record how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from temporalio import activity

from activities.contract import JobRecord
from engine.errors import InputError
from engine.model import identity
from engine.model.agent_task import AgentTask, TaskType
from engine.model.deployment import Assignment, DeploymentRequest, JobStatus, TargetPlan
from engine.model.environment import Target
from engine.model.promotion import PromotionSnapshot
from engine.model.release import Component
from engine.store.store import Store
from engine.strategies.registry import plan

TASK_TIMEOUT = timedelta(minutes=10)
"""How long one attempt of a task may take."""

TASK_ORDER = (TaskType.PULL, TaskType.DEPLOY, TaskType.HEALTH_CHECK)


class DeploymentActivities:
    """Activities over the strategies and the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn(name="deployment.assign_tasks")
    async def assign_tasks(self, request: DeploymentRequest, at: datetime) -> Assignment:
        """Resolve the environment's targets, plan the batches, and store every task as of `at`.

        Raises:
            InputError: the environment has no target any more.
        """
        promotion = request.promotion
        targets = await self._store.environments.targets(promotion.environment.id)
        if not targets:
            raise InputError(
                "environment",
                f"{promotion.environment.name!r} has no targets",
                "add some to the environment file and apply it",
            )
        job = request.job_id
        planned = plan(request.strategy, targets)
        batches = tuple(
            tuple(
                TargetPlan(target=target.name, tasks=_tasks(promotion, job_id=job, target=target))
                for target in batch
            )
            for batch in planned.batches
        )
        await self._store.executions.record_job(
            promotion.promotion_id,
            job,
            request.node_id,
            request.strategy.type,
            JobStatus.RUNNING,
            len(targets),
            planned.batch_size,
            at,
            None,
        )
        await self._store.executions.assign_tasks(
            job, [task for batch in batches for target in batch for task in target.tasks]
        )
        return Assignment(
            job_id=job,
            target_count=len(targets),
            batch_size=planned.batch_size,
            batches=batches,
        )

    @activity.defn(name="deployment.record")
    async def record(self, record: JobRecord) -> None:
        """Keep the end of a job and of all its tasks; those that never began are skipped."""
        result = record.result
        await self._store.executions.record_job(
            record.promotion_id,
            result.job_id,
            result.node_id,
            result.strategy,
            result.status,
            result.target_count,
            result.batch_size,
            result.started_at,
            result.ended_at,
        )
        await self._store.executions.record_tasks(result.job_id, result.tasks)


def _tasks(promotion: PromotionSnapshot, *, job_id: UUID, target: Target) -> tuple[AgentTask, ...]:
    component = _component(promotion, target)
    return tuple(
        AgentTask(
            id=identity.task_id(job_id, target.id, component.name, task_type),
            type=task_type,
            job_id=job_id,
            promotion_id=promotion.promotion_id,
            tenant_id=promotion.tenant_id,
            release=promotion.release.ref,
            component=component,
            target=target,
            timeout=TASK_TIMEOUT,
        )
        for task_type in TASK_ORDER
    )


def _component(promotion: PromotionSnapshot, target: Target) -> Component:
    components = promotion.release.components
    for component in components:
        if target.component in (None, component.name):
            return component
    raise InputError(
        "release",
        f"{promotion.release.ref} has no component {target.component!r} for target {target.name!r}",
        "register a release that has it, or change the target",
    )
