"""Tables of promotions, what their gates said, and who voted."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.model.approval import VoteDecision
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision, GateOutcome
from engine.store.base import Base
from engine.store.types import ExactJson, ReportJson


class PromotionRecord(Base):
    """A promotion: what was asked, where it stands, how it ended.

    Attributes:
        snapshot: the `PromotionSnapshot`, what the request was resolved to.
        status_at: since when it has this status.
        run_id: Temporal's id of the run that opened it.
        status_run_id: Temporal's id of the run that the status is of; another one after a reset.
        trace_id: 32 lower-case hexadecimal digits.
        ended_at: set exactly when the status is final.
        superseded_by: the promotion that took its place in the queue.
    """

    __tablename__ = "promotions"
    __table_args__ = (
        Index(None, "tenant_id", "environment_id", "requested_at"),
        Index(None, "tenant_id", "requested_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    environment_id: Mapped[UUID] = mapped_column(ForeignKey("environments.id"), index=True)
    release_id: Mapped[UUID] = mapped_column(ForeignKey("releases.id"), index=True)
    status: Mapped[PromotionStatus]
    status_at: Mapped[datetime]
    decision: Mapped[Decision | None]
    failure: Mapped[Any | None] = mapped_column(ReportJson)
    requested_by: Mapped[str]
    user_id: Mapped[UUID]
    requested_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    workflow_id: Mapped[str]
    run_id: Mapped[str]
    status_run_id: Mapped[str]
    trace_id: Mapped[str] = mapped_column(index=True)
    superseded_by: Mapped[UUID | None]
    snapshot: Mapped[Any] = mapped_column(ExactJson, nullable=False)

    gates: Mapped[list[GateResultRecord]] = relationship(
        order_by="(GateResultRecord.started_at, GateResultRecord.name)", lazy="raise"
    )
    votes: Mapped[list[ApprovalRecord]] = relationship(
        order_by="(ApprovalRecord.at, ApprovalRecord.voter)", lazy="raise"
    )


class GateResultRecord(Base):
    """The final word of one gate of a promotion.

    Attributes:
        facts: what the gate decided over beside the promotion and its votes; see `GateResult`.
        asked_at: the moment that it decided for.
    """

    __tablename__ = "gate_results"

    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    outcome: Mapped[GateOutcome]
    reason: Mapped[str]
    attributes: Mapped[Any] = mapped_column(ReportJson, nullable=False)
    inputs: Mapped[Any] = mapped_column(ReportJson, nullable=False)
    rejected_by: Mapped[str | None]
    error: Mapped[Any | None] = mapped_column(ReportJson)
    evidence: Mapped[Any | None] = mapped_column(ReportJson)
    overridden: Mapped[Any | None] = mapped_column(ReportJson)
    facts: Mapped[Any | None] = mapped_column(ExactJson)
    asked_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]


class ApprovalRecord(Base):
    """One person's latest vote on a promotion.

    Attributes:
        on_behalf_of: whose right it was, when they voted for somebody else.
        envelope: the DSSE envelope of a signed vote.
        withdrawn_at: when they took it back; with `withdrawal_reason` and, where it was signed,
            `withdrawal_envelope`.
        changed_at: when it was given or, later, taken back.
    """

    __tablename__ = "approvals"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id"), index=True)
    voter: Mapped[str]
    decision: Mapped[VoteDecision]
    comment: Mapped[str]
    binding: Mapped[str]
    at: Mapped[datetime]
    on_behalf_of: Mapped[str | None]
    envelope: Mapped[Any | None] = mapped_column(ExactJson)
    withdrawn_at: Mapped[datetime | None]
    withdrawal_reason: Mapped[str]
    withdrawal_envelope: Mapped[Any | None] = mapped_column(ExactJson)
    changed_at: Mapped[datetime]
