"""Repository of promotions, what their gates said, and who voted."""

from __future__ import annotations

import builtins
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import selectinload

from engine.errors import ConflictError, NotFoundError
from engine.model import identity
from engine.model.approval import Vote
from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot, PromotionStatus
from engine.model.verdict import Decision, GateResult
from engine.store.database import Database
from engine.store.lookup import require_environment, require_tenant
from engine.store.paging import check_page
from engine.store.rows import PromotionRow
from engine.store.tables import (
    ApprovalRecord,
    GateResultRecord,
    PromotionRecord,
)
from engine.store.upsert import add_if_missing, upsert

_FINAL = [status for status in PromotionStatus if status.is_final]


class PromotionRepository:
    """Promotions by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, snapshot: PromotionSnapshot, workflow_id: str, run_id: str, trace_id: str
    ) -> None:
        """Record a promotion as pending since it was requested; the second time does nothing.

        Args:
            run_id: Temporal's id of the first run of the workflow's chain of runs.
            trace_id: 32 lower-case hexadecimal digits.

        Raises:
            ConflictError: another run has opened this promotion. Its tasks and its evidence would
                have the same ids, so that the record of the first would pass for the second's.
            NotFoundError: release or environment of the snapshot are not recorded.
        """
        row = {
            "id": snapshot.promotion_id,
            "tenant_id": snapshot.tenant_id,
            "environment_id": snapshot.environment.id,
            "release_id": snapshot.release.id,
            "status": PromotionStatus.PENDING,
            "status_at": snapshot.requested_at,
            "requested_by": snapshot.requested_by,
            "user_id": snapshot.user_id,
            "requested_at": snapshot.requested_at,
            "workflow_id": workflow_id,
            "run_id": run_id,
            "trace_id": trace_id,
            "snapshot": snapshot.model_dump(mode="json"),
        }
        async with self._database.write() as session:
            if await add_if_missing(session, PromotionRecord, row):
                return
            stored = await session.get_one(PromotionRecord, snapshot.promotion_id)
            if stored.run_id != run_id:
                raise ConflictError(
                    "promotion",
                    f"{snapshot.promotion_id} was carried out by run {stored.run_id} already",
                    "start another one, with a workflow id of its own",
                )

    async def record_status(
        self,
        promotion_id: UUID,
        status: PromotionStatus,
        decision: Decision | None,
        *,
        at: datetime,
        failure: Failure | None = None,
    ) -> None:
        """Record where the promotion stands since `at`.

        A final status stays, and a status that is not final gives way to none from an earlier
        time. A decision or failure of None leaves the one that is recorded.

        Raises:
            NotFoundError: the promotion was not opened.
        """
        record = PromotionRecord
        statement = (
            update(record)
            .where(record.id == promotion_id, record.status.not_in(_FINAL))
            .values(status=status, status_at=at)
        )
        if status.is_final:
            statement = statement.values(ended_at=at)
        else:
            statement = statement.where(record.status_at <= at)
        if decision is not None:
            statement = statement.values(decision=decision)
        if failure is not None:
            statement = statement.values(failure=failure.model_dump(mode="json"))
        async with self._database.write() as session:
            await session.execute(
                statement.returning(record.id), execution_options={"synchronize_session": False}
            )
            if await session.scalar(select(record.id).where(record.id == promotion_id)) is None:
                raise _unknown(promotion_id)

    async def record_gate(self, promotion_id: UUID, result: GateResult) -> None:
        """Record a gate's final word; of several for one gate the one that ended last.

        Raises:
            NotFoundError: the promotion was not opened.
        """
        row = {
            "promotion_id": promotion_id,
            "name": result.name,
            "type": result.type,
            "outcome": result.outcome,
            "reason": result.reason,
            "attributes": result.model_dump(mode="json")["attributes"],
            "inputs": dict(result.inputs),
            "rejected_by": result.rejected_by,
            "error": result.error and result.error.model_dump(mode="json"),
            "started_at": result.started_at,
            "ended_at": result.ended_at,
        }
        async with self._database.write() as session:
            await upsert(session, GateResultRecord, [row], newest_by="ended_at")

    async def record_vote(self, promotion_id: UUID, vote: Vote) -> None:
        """Record a person's vote; of several by one person the latest.

        Raises:
            NotFoundError: the promotion was not opened.
        """
        row = {
            "id": identity.approval_id(promotion_id, vote.user),
            "promotion_id": promotion_id,
            "voter": vote.user,
            "decision": vote.decision,
            "comment": vote.comment,
            "binding": vote.binding,
            "at": vote.at,
        }
        async with self._database.write() as session:
            await upsert(session, ApprovalRecord, [row], newest_by="at")

    async def get(self, promotion_id: UUID) -> PromotionRow:
        """The promotion with its gates and votes.

        Raises:
            NotFoundError: it was not opened.
        """
        async with self._database.read() as session:
            found = await session.scalar(
                _whole_promotions().where(PromotionRecord.id == promotion_id)
            )
        if found is None:
            raise _unknown(promotion_id)
        return _row(found)

    async def list(
        self, tenant: str, environment: str | None = None, limit: int = 50, offset: int = 0
    ) -> builtins.list[PromotionRow]:
        """The tenant's promotions, the last requested first, to one environment or to all.

        Raises:
            NotFoundError: there is no such tenant, or it has no such environment.
            InputError: `limit` or `offset` cannot be used.
        """
        check_page(limit, offset)
        record = PromotionRecord
        async with self._database.read() as session:
            tenant_id = await require_tenant(session, tenant)
            query = _whole_promotions().where(record.tenant_id == tenant_id)
            if environment is not None:
                named = await require_environment(session, tenant, environment)
                query = query.where(record.environment_id == named.id)
            found = await session.scalars(
                query.order_by(record.requested_at.desc(), record.id).limit(limit).offset(offset)
            )
            return [_row(promotion) for promotion in found]


def _unknown(promotion_id: UUID) -> NotFoundError:
    return NotFoundError(
        "promotion", f"there is no promotion {promotion_id}", "see them with: promote list"
    )


def _whole_promotions() -> Select[PromotionRecord]:
    return select(PromotionRecord).options(
        selectinload(PromotionRecord.gates), selectinload(PromotionRecord.votes)
    )


def _row(record: PromotionRecord) -> PromotionRow:
    return PromotionRow.model_validate(
        {
            "snapshot": record.snapshot,
            "status": record.status,
            "status_at": record.status_at,
            "decision": record.decision,
            "failure": record.failure,
            "gates": [_gate(gate) for gate in record.gates],
            "votes": [_vote(vote) for vote in record.votes],
            "workflow_id": record.workflow_id,
            "run_id": record.run_id,
            "trace_id": record.trace_id,
            "started_at": record.requested_at,
            "ended_at": record.ended_at,
        }
    )


def _gate(record: GateResultRecord) -> GateResult:
    return GateResult(
        name=record.name,
        type=record.type,
        outcome=record.outcome,
        reason=record.reason,
        attributes=record.attributes,
        inputs=record.inputs,
        rejected_by=record.rejected_by,
        error=record.error,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )


def _vote(record: ApprovalRecord) -> Vote:
    return Vote(
        user=record.voter,
        decision=record.decision,
        comment=record.comment,
        binding=record.binding,
        at=record.at,
    )
