"""Repository of figures over all promotions, each computed by the database."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, exists, func, select

from engine.model.delivery import Count, Deployment, GateCount, Queue, Subject
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision
from engine.store.database import Database
from engine.store.tables import (
    DeploymentJobRecord,
    EnvironmentRecord,
    GateResultRecord,
    PromotionRecord,
    ReleaseRecord,
    TenantRecord,
)

_ENDS = (PromotionStatus.SUCCEEDED, PromotionStatus.FAILED, PromotionStatus.ERRORED)
_PART = 2_000
_FINAL = [status for status in PromotionStatus if status.is_final]


class StatisticsRepository:
    """Counts by names, and the deployments of a period."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def environments(self) -> list[tuple[str, str]]:
        """The tenant and the name of every environment."""
        query = select(TenantRecord.name, EnvironmentRecord.name).join(
            TenantRecord, TenantRecord.id == EnvironmentRecord.tenant_id
        )
        async with self._database.read() as session:
            return [(tenant, environment) for tenant, environment in await session.execute(query)]

    async def ended(self) -> list[Count]:
        """How many promotions have ended in each way."""
        record = PromotionRecord
        counted = (
            select(record.environment_id, record.status, func.count().label("count"))
            .where(record.status.in_(_FINAL))
            .group_by(record.environment_id, record.status)
            .subquery()
        )
        query = (
            select(TenantRecord.name, EnvironmentRecord.name, counted.c.status, counted.c.count)
            .join(EnvironmentRecord, EnvironmentRecord.id == counted.c.environment_id)
            .join(TenantRecord, TenantRecord.id == EnvironmentRecord.tenant_id)
        )
        async with self._database.read() as session:
            return [
                Count(tenant=tenant, environment=environment, status=status, count=count)
                for tenant, environment, status, count in await session.execute(query)
            ]

    async def gates(self) -> list[GateCount]:
        """How many results each gate has had of each kind."""
        gate, record = GateResultRecord, PromotionRecord
        counted = (
            select(
                record.environment_id,
                gate.name,
                gate.type,
                gate.outcome,
                func.count().label("count"),
            )
            .join(record, record.id == gate.promotion_id)
            .group_by(record.environment_id, gate.name, gate.type, gate.outcome)
            .subquery()
        )
        query = (
            select(
                TenantRecord.name,
                EnvironmentRecord.name,
                counted.c.name,
                counted.c.type,
                counted.c.outcome,
                counted.c.count,
            )
            .join(EnvironmentRecord, EnvironmentRecord.id == counted.c.environment_id)
            .join(TenantRecord, TenantRecord.id == EnvironmentRecord.tenant_id)
        )
        async with self._database.read() as session:
            return [
                GateCount(
                    tenant=tenant,
                    environment=environment,
                    name=name,
                    type=kind,
                    outcome=outcome,
                    count=count,
                )
                for tenant, environment, name, kind, outcome, count in await session.execute(query)
            ]

    async def queues(self) -> list[Queue]:
        """Every environment, with how many promotions are recorded as waiting for its lock."""
        record = PromotionRecord
        waiting = and_(
            record.environment_id == EnvironmentRecord.id,
            record.tenant_id == EnvironmentRecord.tenant_id,
            record.status == PromotionStatus.QUEUED,
        )
        query = (
            select(
                TenantRecord.name, TenantRecord.id, EnvironmentRecord.name, func.count(record.id)
            )
            .select_from(EnvironmentRecord)
            .join(TenantRecord, TenantRecord.id == EnvironmentRecord.tenant_id)
            .outerjoin(record, waiting)
            .group_by(TenantRecord.name, TenantRecord.id, EnvironmentRecord.name)
        )
        async with self._database.read() as session:
            return [
                Queue(tenant=tenant, tenant_id=tenant_id, environment=environment, count=count)
                for tenant, tenant_id, environment, count in await session.execute(query)
            ]

    async def deployments(self, since: datetime) -> list[Deployment]:
        """The promotions that reached their deployment and ended after `since`, in that order.

        One that was cancelled is none: somebody decided about it, and it neither failed nor came to
        its end.
        """
        record = PromotionRecord
        query = (
            select(
                record.id,
                TenantRecord.name,
                EnvironmentRecord.name,
                ReleaseRecord.name,
                ReleaseRecord.id,
                ReleaseRecord.registered_at,
                record.ended_at,
                record.status,
            )
            .join(EnvironmentRecord, EnvironmentRecord.id == record.environment_id)
            .join(TenantRecord, TenantRecord.id == record.tenant_id)
            .join(ReleaseRecord, ReleaseRecord.id == record.release_id)
            .where(
                record.ended_at > since,
                record.status.in_(_ENDS),
                record.decision == Decision.ALLOW,
                exists().where(DeploymentJobRecord.promotion_id == record.id),
            )
            .order_by(record.ended_at, record.id)
        )
        found: list[Deployment] = []
        async with self._database.read() as session:
            # In parts, since a window can hold tens of thousands and others work meanwhile.
            streamed = await session.stream(query, execution_options={"yield_per": _PART})
            async for part in streamed.partitions():
                found += [
                    Deployment(
                        promotion_id=promotion,
                        tenant=tenant,
                        environment=environment,
                        product=product,
                        release_id=release,
                        registered_at=registered_at,
                        ended_at=ended_at,
                        succeeded=status is PromotionStatus.SUCCEEDED,
                    )
                    for (
                        promotion,
                        tenant,
                        environment,
                        product,
                        release,
                        registered_at,
                        ended_at,
                        status,
                    ) in part
                    if ended_at is not None
                ]
        return found

    async def subject(self, promotion_id: UUID) -> Subject | None:
        """What a promotion is about; None when it is not recorded."""
        record = PromotionRecord
        query = (
            select(TenantRecord.name, EnvironmentRecord.name, record.requested_at)
            .join(EnvironmentRecord, EnvironmentRecord.id == record.environment_id)
            .join(TenantRecord, TenantRecord.id == record.tenant_id)
            .where(record.id == promotion_id)
        )
        async with self._database.read() as session:
            found = (await session.execute(query)).first()
        if found is None:
            return None
        tenant, environment, requested_at = found
        return Subject(tenant=tenant, environment=environment, requested_at=requested_at)
