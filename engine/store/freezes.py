"""Repository of the freezes that people set and lift."""

from __future__ import annotations

import builtins
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model.freeze import Freeze
from engine.model.status import PromotionStatus
from engine.store.database import Database
from engine.store.lookup import require_environment, require_tenant
from engine.store.tables import EnvironmentRecord, FreezeRecord, PromotionRecord
from engine.store.upsert import add_if_missing

_LAG = timedelta(hours=1)
"""By how much the moment that is asked for may lie behind the clock."""

_OPEN = [status for status in PromotionStatus if not status.is_final]


class FreezeRepository:
    """Freezes by tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, tenant_id: UUID, environment: str) -> tuple[Freeze, ...]:
        """The freezes that hold for an environment now or later, the one that began first ahead.

        One that has just run out may be among them; `Freeze.holds_at` tells.
        """
        async with self._database.read() as session:
            found = await session.scalars(
                select(FreezeRecord)
                .where(
                    FreezeRecord.tenant_id == tenant_id,
                    _is_live(datetime.now(UTC) - _LAG),
                    or_(
                        FreezeRecord.environment.is_(None), FreezeRecord.environment == environment
                    ),
                )
                .order_by(FreezeRecord.start, FreezeRecord.id)
            )
            return tuple(_freeze(record) for record in found)

    async def add(self, tenant: str, freeze: Freeze) -> tuple[str, ...]:
        """Set a freeze; the second time does nothing.

        A promotion that this does not name looks the freeze up when it begins.

        Returns:
            The workflow ids of the promotions under way that it concerns, which want to be told.

        Raises:
            NotFoundError: there is no such tenant, or it has no such environment.
            ConflictError: a freeze of that name is in force or to come.
        """
        async with self._database.write() as session:
            await require_tenant(session, tenant)
            if freeze.environment is not None:
                await require_environment(session, tenant, freeze.environment)
            other = await session.scalar(
                select(FreezeRecord).where(
                    FreezeRecord.tenant_id == freeze.tenant_id,
                    FreezeRecord.name == freeze.name,
                    FreezeRecord.id != freeze.id,
                    _is_live(freeze.created_at),
                )
            )
            if other is not None:
                raise ConflictError(
                    "name",
                    f"{freeze.name!r} is a freeze already, by {other.created_by}: {other.reason}",
                    f"lift that one, or give another name: promote freeze lift {freeze.name}",
                )
            await add_if_missing(session, FreezeRecord, freeze.model_dump())
        return await self._concerned(freeze)

    async def lift(
        self, tenant: str, ref: str, *, user: str, reason: str, at: datetime
    ) -> tuple[Freeze, tuple[str, ...]]:
        """End a freeze before its time.

        Args:
            ref: its name or its id.

        Returns:
            The freeze as it is now, and the workflow ids of the promotions under way that it
            concerns, which want to be told.

        Raises:
            NotFoundError: there is no such tenant, or no such freeze in force or to come.
            InputError: it was lifted already, or has run out.
        """
        async with self._database.write() as session:
            tenant_id = await require_tenant(session, tenant)
            record = await _find(session, tenant_id, ref, at)
            await session.execute(
                update(FreezeRecord)
                .where(FreezeRecord.id == record.id, FreezeRecord.lifted_at.is_(None))
                .values(lifted_by=user, lifted_at=at, lift_reason=reason)
            )
            await session.refresh(record)
            lifted = _freeze(record)
        return lifted, await self._concerned(lifted)

    async def list(self, tenant: str, at: datetime, *, past: bool = False) -> builtins.list[Freeze]:
        """A tenant's freezes that are in force at a moment or to come, by their begins.

        Args:
            past: also those that were lifted or have run out.

        Raises:
            NotFoundError: there is no such tenant.
        """
        async with self._database.read() as session:
            tenant_id = await require_tenant(session, tenant)
            query = select(FreezeRecord).where(FreezeRecord.tenant_id == tenant_id)
            if not past:
                query = query.where(_is_live(at))
            found = await session.scalars(query.order_by(FreezeRecord.start, FreezeRecord.id))
            return [_freeze(record) for record in found]

    async def _concerned(self, freeze: Freeze) -> tuple[str, ...]:
        # After the freeze is on record: whatever begins between the two finds it by itself.
        query = (
            select(PromotionRecord.workflow_id)
            .join(EnvironmentRecord, EnvironmentRecord.id == PromotionRecord.environment_id)
            .where(PromotionRecord.tenant_id == freeze.tenant_id, PromotionRecord.status.in_(_OPEN))
            .order_by(PromotionRecord.requested_at)
        )
        if freeze.environment is not None:
            query = query.where(EnvironmentRecord.name == freeze.environment)
        async with self._database.read() as session:
            return tuple(await session.scalars(query))


def _is_live(at: datetime) -> ColumnElement[bool]:
    return FreezeRecord.lifted_at.is_(None) & or_(FreezeRecord.end.is_(None), FreezeRecord.end > at)


async def _find(session: AsyncSession, tenant: UUID, ref: str, at: datetime) -> FreezeRecord:
    which = FreezeRecord.name == ref
    with suppress(ValueError):
        which = FreezeRecord.id == UUID(ref)
    named = (
        select(FreezeRecord)
        .where(FreezeRecord.tenant_id == tenant, which)
        .order_by(FreezeRecord.created_at.desc())
        .limit(1)
    )
    found = await session.scalar(named.where(_is_live(at)))
    if found is not None:
        return found
    past = await session.scalar(named)
    if past is None:
        raise NotFoundError(
            "freeze", f"there is none called {ref!r}", "see them with: promote freeze list"
        )
    if past.lifted_at is not None:
        what = f"was lifted by {past.lifted_by} at {past.lifted_at:%Y-%m-%d %H:%M} UTC already"
    else:
        what = f"ended at {past.end:%Y-%m-%d %H:%M} UTC by itself"
    raise InputError("freeze", f"{past.name!r} {what}")


def _freeze(record: FreezeRecord) -> Freeze:
    return Freeze(**{name: getattr(record, name) for name in Freeze.model_fields})
