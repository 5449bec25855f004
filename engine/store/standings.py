"""Repository of what releases have done in environments, as later environments ask for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select

from engine.errors import NotFoundError
from engine.model import identity
from engine.model.execution import StepResult
from engine.model.promotion import PromotionStatus
from engine.model.standing import Standing
from engine.store.database import Database
from engine.store.tables import EnvironmentRecord, PromotionRecord, StepRunRecord


class StandingRepository:
    """Standings by release and environment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self,
        tenant_id: UUID,
        release_id: UUID,
        environment: str,
        *,
        at: datetime | None = None,
    ) -> Standing:
        """What the release has done there.

        Args:
            at: as the record tells it for that moment; as it is now by default.

        Raises:
            NotFoundError: the tenant has no such environment.
        """
        async with self._database.read() as session:
            environment_id = await session.scalar(
                select(EnvironmentRecord.id).where(
                    EnvironmentRecord.tenant_id == tenant_id, EnvironmentRecord.name == environment
                )
            )
            if environment_id is None:
                raise NotFoundError("environment", f"there is none called {environment!r}")
            here = PromotionRecord.environment_id == environment_id
            if at is not None:
                here = and_(here, PromotionRecord.ended_at <= at)
            succeeded = PromotionRecord.status == PromotionStatus.SUCCEEDED
            latest = await session.scalar(
                select(PromotionRecord)
                .where(here, succeeded, PromotionRecord.release_id == release_id)
                .order_by(PromotionRecord.ended_at.desc())
                .limit(1)
            )
            if latest is None or latest.ended_at is None:
                return Standing(environment=environment)
            after = PromotionRecord.ended_at > latest.ended_at
            replaced = await session.scalar(
                select(PromotionRecord.ended_at)
                .where(here, succeeded, after)
                .order_by(PromotionRecord.ended_at)
                .limit(1)
            )
            failed = await session.scalar(
                select(PromotionRecord.id)
                .where(
                    here,
                    after,
                    PromotionRecord.release_id == release_id,
                    PromotionRecord.status.in_((PromotionStatus.FAILED, PromotionStatus.ERRORED)),
                )
                .order_by(PromotionRecord.ended_at)
                .limit(1)
            )
            steps = await session.scalars(
                select(StepRunRecord)
                .where(StepRunRecord.run_id == identity.workflow_run_id(latest.id))
                .order_by(StepRunRecord.started_at, StepRunRecord.node_id)
            )
            ran = tuple(_step(record) for record in steps)
        return Standing(
            environment=environment,
            promotion_id=latest.id,
            succeeded_at=latest.ended_at,
            steps=ran,
            is_current=replaced is None,
            replaced_at=replaced,
            failed_since=failed,
        )


def _step(record: StepRunRecord) -> StepResult:
    """The step without what it was given and handed on, which may be large and of no use here."""
    return StepResult(
        node_id=record.node_id,
        type=record.type,
        run_id=record.id,
        status=record.status,
        detail=record.detail,
        failure=record.failure,
        attempt=record.attempt or 1,
        compensates=record.compensates,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )
