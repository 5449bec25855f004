"""Repository of promotions, what their gates said, and who voted."""

from __future__ import annotations

import builtins
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    delete,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, selectinload

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


class Reset(NamedTuple):
    """A run that came of a reset of the workflow (https://docs.temporal.io/workflow-execution).

    Attributes:
        run_id: Temporal's id of that run.
        at: the workflow's time, after all of the runs before.
    """

    run_id: str
    at: datetime


_FINAL = [status for status in PromotionStatus if status.is_final]


class PromotionRepository:
    """Promotions by id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self,
        snapshot: PromotionSnapshot,
        workflow_id: str,
        run_id: str,
        trace_id: str,
        *,
        reset: Reset | None = None,
    ) -> None:
        """Record a promotion as pending since it was requested; the second time does nothing.

        Args:
            run_id: Temporal's id of the first run of the workflow's chain of runs.
            trace_id: 32 lower-case hexadecimal digits.
            reset: given when an operator has reset the workflow to before this call. What was
                recorded of the runs before is replaced; their evidence tells it.

        Raises:
            ConflictError: another workflow has opened this promotion. Its tasks would have the
                same ids, so that the record of the first would pass for the second's.
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
            "status_run_id": run_id,
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
            if reset is not None and _is_news(stored, reset):
                await session.execute(
                    update(PromotionRecord)
                    .where(PromotionRecord.id == snapshot.promotion_id)
                    .values(
                        **row | {"status_at": reset.at, "status_run_id": reset.run_id},
                        decision=None,
                        failure=None,
                        superseded_by=None,
                        ended_at=None,
                    )
                )
                for record in (GateResultRecord, ApprovalRecord):
                    await session.execute(
                        delete(record).where(record.promotion_id == snapshot.promotion_id)
                    )

    async def record_status(
        self,
        promotion_id: UUID,
        status: PromotionStatus,
        decision: Decision | None,
        *,
        at: datetime,
        failure: Failure | None = None,
        superseded_by: UUID | None = None,
        run_id: str | None = None,
    ) -> None:
        """Record where the promotion stands since `at`.

        A final status stays, and a status that is not final gives way to none from an earlier
        time. A decision or failure of None leaves the one that is recorded. Of several runs of the
        promotion the latest counts: it replaces also a final status, with decision and failure.

        Args:
            superseded_by: the promotion that took its place; None where none did.
            run_id: Temporal's id of the run whose status this is; the one that opened the
                promotion by default.

        Raises:
            NotFoundError: the promotion was not opened.
        """
        record = PromotionRecord
        run = record.run_id if run_id is None else literal(run_id)
        is_same_run = record.status_run_id == run
        is_next: list[ColumnElement[bool]] = [record.status.not_in(_FINAL)]
        if not status.is_final:
            is_next.append(record.status_at <= at)
        plain = None if failure is None else failure.model_dump(mode="json")
        statement = (
            update(record)
            .where(
                record.id == promotion_id,
                or_(
                    and_(is_same_run, *is_next),
                    and_(record.status_run_id != run, record.status_at < at),
                ),
            )
            .values(
                status=status,
                status_at=at,
                status_run_id=run,
                ended_at=at if status.is_final else None,
                decision=decision if decision is not None else _kept(record.decision, is_same_run),
                failure=plain if plain is not None else _kept(record.failure, is_same_run),
                superseded_by=superseded_by,
            )
        )
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
        dumped = result.model_dump(mode="json")
        row = {
            "promotion_id": promotion_id,
            "name": result.name,
            "type": result.type,
            "outcome": result.outcome,
            "reason": result.reason,
            "attributes": dumped["attributes"],
            "inputs": dict(result.inputs),
            "rejected_by": result.rejected_by,
            "error": result.error and result.error.model_dump(mode="json"),
            "evidence": dumped["evidence"] or None,
            "overridden": dumped["overridden"],
            "facts": dumped["facts"] or None,
            "asked_at": result.asked_at,
            "started_at": result.started_at,
            "ended_at": result.ended_at,
        }
        async with self._database.write() as session:
            await upsert(session, GateResultRecord, [row], newest_by="ended_at")

    async def record_vote(self, promotion_id: UUID, vote: Vote) -> None:
        """Record a person's vote, or that it was withdrawn; of several by one person the latest.

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
            "on_behalf_of": vote.on_behalf_of,
            "envelope": vote.envelope,
            "withdrawn_at": vote.withdrawn_at,
            "withdrawal_reason": vote.withdrawal_reason,
            "withdrawal_envelope": vote.withdrawal_envelope,
            "changed_at": vote.withdrawn_at or vote.at,
        }
        async with self._database.write() as session:
            await upsert(session, ApprovalRecord, [row], newest_by="changed_at")

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

    async def decided(
        self,
        tenant: str,
        environment: str,
        *,
        since: datetime | None = None,
        before: tuple[datetime, UUID] | None = None,
        limit: int = 200,
    ) -> builtins.list[PromotionRow]:
        """A page of the promotions to an environment whose gates have decided, youngest first.

        Args:
            since: only those that were requested at that time or later.
            before: `started_at` and `id` of the last one of the page before.

        Raises:
            NotFoundError: there is no such tenant, or it has no such environment.
            InputError: `limit` cannot be used.
        """
        check_page(limit, 0)
        record = PromotionRecord
        denied = record.status.in_((PromotionStatus.DENIED, PromotionStatus.REJECTED))
        async with self._database.read() as session:
            named = await require_environment(session, tenant, environment)
            query = _whole_promotions().where(
                record.environment_id == named.id, or_(record.decision == Decision.ALLOW, denied)
            )
            if since is not None:
                query = query.where(record.requested_at >= since)
            if before is not None:
                at, last = before
                later = and_(record.requested_at == at, record.id > last)
                query = query.where(or_(record.requested_at < at, later))
            found = await session.scalars(
                query.order_by(record.requested_at.desc(), record.id).limit(limit)
            )
            return [_row(promotion) for promotion in found]


def _is_news(stored: PromotionRecord, reset: Reset) -> bool:
    return stored.status_run_id != reset.run_id and stored.status_at < reset.at


def _kept(column: InstrumentedAttribute[Any], is_same_run: ColumnElement[bool]) -> Any:
    """The value that is recorded, unless it is another run's."""
    return case((is_same_run, column), else_=null())


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
            "superseded_by": record.superseded_by,
            "gates": [_gate(gate) for gate in record.gates],
            "votes": [_vote(vote) for vote in record.votes],
            "workflow_id": record.workflow_id,
            "run_id": record.run_id,
            "status_run_id": record.status_run_id,
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
        evidence=record.evidence or {},
        overridden=record.overridden,
        facts=record.facts or {},
        asked_at=record.asked_at,
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
        on_behalf_of=record.on_behalf_of,
        envelope=record.envelope,
        is_signed=record.envelope is not None,
        withdrawn_at=record.withdrawn_at,
        withdrawal_reason=record.withdrawal_reason,
        withdrawal_envelope=record.withdrawal_envelope,
    )
