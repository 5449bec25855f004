"""Repository of what holds back automatic promotion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from engine.model.auto_promotion import Hold
from engine.store.database import Database
from engine.store.tables import HoldRecord
from engine.store.upsert import add_if_missing


class HoldRepository:
    """Holds by environment. One that was lifted stays on record, and stays lifted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, hold: Hold) -> bool:
        """Record a hold; whether it was new. The second time does nothing.

        Raises:
            NotFoundError: its environment or its promotion is not recorded.
        """
        async with self._database.write() as session:
            return await add_if_missing(session, HoldRecord, hold.model_dump())

    async def lift(
        self, environment_id: UUID, *, by: str, at: datetime, reason: str = ""
    ) -> tuple[Hold, ...]:
        """Lift all holds of an environment, and return those that were in force until now."""
        record = HoldRecord
        async with self._database.write() as session:
            lifted = await session.scalars(
                update(record)
                .where(record.environment_id == environment_id, record.lifted_at.is_(None))
                .values(lifted_by=by, lifted_at=at, lift_reason=reason)
                .returning(record),
                execution_options={"synchronize_session": False, "populate_existing": True},
            )
            return _in_order([_hold(one) for one in lifted])

    async def of(self, environment_id: UUID) -> tuple[Hold, ...]:
        """The holds that are in force, the oldest first."""
        record = HoldRecord
        async with self._database.read() as session:
            found = await session.scalars(
                select(record).where(
                    record.environment_id == environment_id, record.lifted_at.is_(None)
                )
            )
            return _in_order([_hold(one) for one in found])

    async def all(self, environment_id: UUID) -> tuple[Hold, ...]:
        """Every hold that the environment ever had, the oldest first."""
        async with self._database.read() as session:
            found = await session.scalars(
                select(HoldRecord).where(HoldRecord.environment_id == environment_id)
            )
            return _in_order([_hold(one) for one in found])


def _hold(record: HoldRecord) -> Hold:
    return Hold(**{name: getattr(record, name) for name in Hold.model_fields})


def _in_order(holds: Sequence[Hold]) -> tuple[Hold, ...]:
    return tuple(sorted(holds, key=lambda hold: (hold.held_at, hold.id)))
