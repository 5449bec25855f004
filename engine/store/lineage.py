"""Repository of how promotions follow upon each other."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.model.environment import Environment
from engine.model.lineage import Lineage, RelatedPromotion
from engine.model.promotion import PromotionStatus
from engine.model.release import Release
from engine.store.database import Database
from engine.store.tables import EnvironmentRecord, PromotionRecord, ReleaseRecord

_Columns = Select[UUID, UUID, str, UUID, str, int]
_Found = Row[UUID, UUID, str, UUID, str, int]


class LineageRepository:
    """Looks up what a promotion follows upon."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, release: Release, environment: Environment) -> Lineage:
        """What a promotion of `release` to `environment` that is requested now follows upon."""
        async with self._database.read() as session:
            of_release = (
                await session.execute(_succeeded().where(PromotionRecord.release_id == release.id))
            ).all()
            if not of_release:
                return Lineage()
            before = await session.scalar(
                select(func.max(EnvironmentRecord.position)).where(
                    EnvironmentRecord.tenant_id == environment.tenant_id,
                    EnvironmentRecord.position < environment.order,
                )
            )
            last = None
            if any(row.environment_id == environment.id for row in of_release):
                last = await _last(session, release, environment)
        previous = next((row for row in of_release if row.position == before), None)
        return Lineage(
            previous_environment=None if previous is None else _related(previous),
            rolled_back=None if last is None or last.release_id == release.id else _related(last),
        )

    async def comes_back(self, release: Release, environment: Environment) -> bool:
        """Whether promoting `release` takes back what the environment has now.

        So it is when it first succeeded there before the version did that succeeded last.
        """
        async with self._database.read() as session:
            last = await _last(session, release, environment)
            if last is None or last.release_id == release.id:
                return False
            first = await _first(session, release.id, environment)
            first_of_last = await _first(session, last.release_id, environment)
        return first is not None and first_of_last is not None and first < first_of_last


async def _first(
    session: AsyncSession, release_id: UUID, environment: Environment
) -> datetime | None:
    """When a release first succeeded in an environment."""
    return await session.scalar(
        select(func.min(PromotionRecord.ended_at)).where(
            PromotionRecord.environment_id == environment.id,
            PromotionRecord.release_id == release_id,
            PromotionRecord.status == PromotionStatus.SUCCEEDED,
        )
    )


async def _last(session: AsyncSession, release: Release, environment: Environment) -> _Found | None:
    """The last promotion of any version of `release` that succeeded in `environment`."""
    query = (
        _succeeded()
        .join(ReleaseRecord, ReleaseRecord.id == PromotionRecord.release_id)
        .where(PromotionRecord.environment_id == environment.id, ReleaseRecord.name == release.name)
        .limit(1)
    )
    return (await session.execute(query)).first()


def _succeeded() -> _Columns:
    """Promotions that succeeded, the last one first, each with its environment."""
    record = PromotionRecord
    return (
        select(
            record.id,
            record.release_id,
            record.trace_id,
            record.environment_id,
            EnvironmentRecord.name.label("environment"),
            EnvironmentRecord.position,
        )
        .join(EnvironmentRecord, EnvironmentRecord.id == record.environment_id)
        .where(record.status == PromotionStatus.SUCCEEDED)
        .order_by(record.ended_at.desc(), record.id)
    )


def _related(row: _Found) -> RelatedPromotion:
    return RelatedPromotion(
        promotion_id=row.id,
        release_id=row.release_id,
        environment=row.environment,
        trace_id=row.trace_id,
    )
