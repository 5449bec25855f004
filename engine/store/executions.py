"""Repository of what promotions carried out: template runs, steps, deployment jobs, tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from engine.model import identity
from engine.model.agent_task import AgentTask, TaskResult, TaskStatus, TaskType
from engine.model.deployment import JobStatus
from engine.model.execution import StepResult, StepStatus
from engine.store.database import Database
from engine.store.rows import TargetRow, TaskRow
from engine.store.tables import (
    AgentRecord,
    AgentTaskRecord,
    DeploymentJobRecord,
    PromotionRecord,
    StepRunRecord,
    TargetRecord,
    WorkflowRunRecord,
)
from engine.store.upsert import add_missing, upsert


class ExecutionRepository:
    """Runs, steps, jobs and tasks by their derived ids.

    Every write may come twice. Once something has ended, it gives way only to an end that is not
    earlier: neither to a late repetition of its start nor to one of an earlier end. A run or job
    that begins after that end, as after a reset of the promotion, replaces it. A write that refers
    to something not recorded (a step of no run, a task of no target) raises NotFoundError.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record_run(
        self,
        promotion_id: UUID,
        run_id: UUID,
        template: str,
        template_version: str,
        status: StepStatus,
        started_at: datetime,
        ended_at: datetime | None,
    ) -> None:
        """Record where the run of a template stands."""
        row = {
            "id": run_id,
            "promotion_id": promotion_id,
            "template": template,
            "template_version": template_version,
            "status": status,
            "started_at": started_at,
            "ended_at": ended_at,
        }
        async with self._database.write() as session:
            await upsert(
                session, WorkflowRunRecord, [row], newest_by="ended_at", begun_by="started_at"
            )

    async def record_step(self, promotion_id: UUID, result: StepResult) -> None:
        """Record the run of a step; the promotion's template run must have been recorded."""
        row = {
            "id": result.run_id,
            "run_id": identity.workflow_run_id(promotion_id),
            "node_id": result.node_id,
            "type": result.type,
            "status": result.status,
            "detail": result.detail,
            "failure": result.failure and result.failure.model_dump(mode="json"),
            "inputs": dict(result.inputs),
            "outputs": dict(result.outputs) or None,
            "attempt": result.attempt,
            "compensates": result.compensates,
            "taken_over_from": result.taken_over_from,
            "started_at": result.started_at,
            "ended_at": result.ended_at,
        }
        async with self._database.write() as session:
            await upsert(session, StepRunRecord, [row], newest_by="ended_at")

    async def steps(self, promotion_id: UUID) -> tuple[StepResult, ...]:
        """The steps of a promotion, in the order of their ends."""
        step = StepRunRecord
        query = (
            select(step)
            .where(step.run_id == identity.workflow_run_id(promotion_id))
            .order_by(step.ended_at, step.started_at, step.id)
        )
        async with self._database.read() as session:
            return tuple(_step(record) for record in await session.scalars(query))

    async def run_after(self, promotion_id: UUID, environment_id: UUID) -> UUID | None:
        """Another promotion whose template's run in the environment began after this one's.

        None where there is no such promotion, or where this one has no run.
        """
        run, promotion = WorkflowRunRecord, PromotionRecord
        since = select(run.started_at).where(run.promotion_id == promotion_id).scalar_subquery()
        query = (
            select(run.promotion_id)
            .join(promotion, promotion.id == run.promotion_id)
            .where(
                promotion.environment_id == environment_id,
                run.promotion_id != promotion_id,
                run.started_at > since,
            )
            .order_by(run.started_at.desc())
            .limit(1)
        )
        async with self._database.read() as session:
            return await session.scalar(query)

    async def record_job(
        self,
        promotion_id: UUID,
        job_id: UUID,
        node_id: str,
        strategy: str,
        status: JobStatus,
        target_count: int,
        batch_size: int,
        started_at: datetime,
        ended_at: datetime | None,
    ) -> None:
        """Record where a deployment job stands."""
        row = {
            "id": job_id,
            "promotion_id": promotion_id,
            "node_id": node_id,
            "strategy": strategy,
            "status": status,
            "target_count": target_count,
            "batch_size": batch_size,
            "started_at": started_at,
            "ended_at": ended_at,
        }
        async with self._database.write() as session:
            await upsert(
                session, DeploymentJobRecord, [row], newest_by="ended_at", begun_by="started_at"
            )

    async def assign_tasks(self, job_id: UUID, tasks: Sequence[AgentTask]) -> None:
        """Record tasks as assigned; those that have a result stay as they are.

        Where the job has ended already, they are skipped.
        """
        rows = [
            {
                "id": task.id,
                "job_id": job_id,
                "target_id": task.target.id,
                "agent_id": task.target.agent_id,
                "component": task.component.name,
                "type": task.type,
                "status": TaskStatus.ASSIGNED,
                "attempt": 1,
                "changed": False,
            }
            for task in tasks
        ]
        async with self._database.write() as session:
            await add_missing(session, AgentTaskRecord, rows)
            await _settle_unbegun(session, job_id)

    async def record_tasks(self, job_id: UUID, results: Sequence[TaskResult]) -> None:
        """Record how tasks ended, whether or not they had been assigned.

        Where the job has ended, those that were assigned and have no result are skipped.
        """
        async with self._database.write() as session:
            await upsert(
                session,
                AgentTaskRecord,
                [_result_row(job_id, result) for result in results],
                newest_by="ended_at",
            )
            await _settle_unbegun(session, job_id)

    async def tasks(self, job_id: UUID) -> list[TaskRow]:
        """The job's tasks in the order of their start, those without a result last."""
        record = AgentTaskRecord
        query = (
            select(record, TargetRecord.name, AgentRecord.name)
            .join(TargetRecord, TargetRecord.id == record.target_id)
            .join(AgentRecord, AgentRecord.id == record.agent_id)
            .where(record.job_id == job_id)
            .order_by(record.started_at.nulls_last(), TargetRecord.position, record.type, record.id)
        )
        async with self._database.read() as session:
            found = (await session.execute(query)).all()
        return [_task(record, target, agent) for record, target, agent in found]

    async def running(self, environment_id: UUID) -> list[TargetRow]:
        """What each of the environment's targets runs by the record, in the targets' order."""
        candidate, last = aliased(AgentTaskRecord), aliased(AgentTaskRecord)
        latest_id = (
            select(candidate.id)
            .where(
                candidate.target_id == TargetRecord.id,
                candidate.type == TaskType.DEPLOY,
                candidate.status == TaskStatus.SUCCEEDED,
            )
            .order_by(candidate.ended_at.desc(), candidate.id)
            .limit(1)
            .correlate(TargetRecord)
            .scalar_subquery()
        )
        query = (
            select(TargetRecord.name, TargetRecord.id, last.after, last.ended_at)
            .outerjoin(last, last.id == latest_id)
            .where(TargetRecord.environment_id == environment_id, TargetRecord.removed_in.is_(None))
            .order_by(TargetRecord.position)
        )
        async with self._database.read() as session:
            found = (await session.execute(query)).all()
        return [
            TargetRow(target=name, target_id=target_id, running=after, since=ended_at)
            for name, target_id, after, ended_at in found
        ]


async def _settle_unbegun(session: AsyncSession, job_id: UUID) -> None:
    """Tasks without a result are assigned while their job runs, and skipped once it has ended."""
    task = AgentTaskRecord
    ended_at = (
        select(DeploymentJobRecord.ended_at)
        .where(DeploymentJobRecord.id == job_id)
        .scalar_subquery()
    )
    status = case(
        (ended_at.is_(None), literal(TaskStatus.ASSIGNED, task.status.type)),
        else_=literal(TaskStatus.SKIPPED, task.status.type),
    )
    await session.execute(
        update(task)
        .where(
            task.job_id == job_id,
            task.status.in_((TaskStatus.ASSIGNED, TaskStatus.SKIPPED)),
            task.status != status,
        )
        .values(status=status),
        execution_options={"synchronize_session": False},
    )


def _step(record: StepRunRecord) -> StepResult:
    return StepResult(
        node_id=record.node_id,
        type=record.type,
        run_id=record.id,
        status=record.status,
        detail=record.detail,
        failure=record.failure,
        inputs=record.inputs,
        outputs=record.outputs or {},
        attempt=record.attempt or 1,
        compensates=record.compensates,
        taken_over_from=record.taken_over_from,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )


def _result_row(job_id: UUID, result: TaskResult) -> dict[str, Any]:
    plain = result.model_dump(mode="json")
    return {
        "id": result.task_id,
        "job_id": job_id,
        "target_id": result.target_id,
        "agent_id": result.agent_id,
        "component": result.component,
        "type": result.type,
        "status": result.status,
        "attempt": result.attempt,
        "changed": result.changed,
        "before": plain["before"],
        "after": plain["after"],
        "failure": plain["failure"],
        "started_at": result.started_at,
        "ended_at": result.ended_at,
    }


def _task(record: AgentTaskRecord, target: str, agent: str) -> TaskRow:
    return TaskRow(
        task_id=record.id,
        type=record.type,
        target=target,
        target_id=record.target_id,
        agent=agent,
        agent_id=record.agent_id,
        component=record.component,
        status=record.status,
        attempt=record.attempt,
        changed=record.changed,
        before=record.before,
        after=record.after,
        failure=record.failure,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )
