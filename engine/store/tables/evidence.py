"""Tables of evidence: the statement of a promotion, and the envelopes that sign it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.store.base import Base


class EvidenceRecord(Base):
    """The statement of a promotion, byte by byte as it is signed; never changed.

    A promotion that was reset has one for each run that came to an end; the latest counts.

    Attributes:
        finished_at: when the work that it is about was over.
        sha256: 64 lower-case hexadecimal digits, over the statement.
    """

    __tablename__ = "evidence"
    __table_args__ = (Index(None, "promotion_id", "finished_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    promotion_id: Mapped[UUID] = mapped_column(ForeignKey("promotions.id"))
    finished_at: Mapped[datetime]
    statement: Mapped[bytes]
    sha256: Mapped[str]


class EnvelopeRecord(Base):
    """A statement signed with one key; never changed.

    Attributes:
        number: grows in the order of storing.
    """

    __tablename__ = "evidence_envelopes"
    __table_args__ = (UniqueConstraint("sha256", "key_id"),)

    number: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True
    )
    evidence_id: Mapped[UUID] = mapped_column(ForeignKey("evidence.id"), index=True)
    sha256: Mapped[str]
    key_id: Mapped[str]
    envelope: Mapped[bytes]
