"""Repository of evidence. What is stored first stays, so that a repeated attempt returns it.

Nothing is ever replaced: a promotion that was reset gets more evidence beside what it has.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model.canonical import sha256_hex
from engine.store.database import Database
from engine.store.rows import EvidenceRow
from engine.store.tables import EnvelopeRecord, EvidenceRecord
from engine.store.upsert import add_if_missing


class EvidenceRepository:
    """Statements by evidence id, envelopes by statement digest and key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_statement(
        self,
        evidence_id: UUID,
        promotion_id: UUID,
        statement: bytes,
        sha256: str,
        *,
        finished_at: datetime,
    ) -> bytes:
        """Store the statement unless the evidence has one, and return the one that is stored.

        Args:
            finished_at: when the work that the statement is about was over.
            sha256: of `statement`, 64 lower-case hexadecimal digits.

        Raises:
            InputError: `sha256` is not that of `statement`.
            NotFoundError: the promotion was not opened.
        """
        if sha256_hex(statement) != sha256:
            raise InputError("sha256", f"the statement's is {sha256_hex(statement)}, not {sha256}")
        row = {
            "id": evidence_id,
            "promotion_id": promotion_id,
            "finished_at": finished_at,
            "statement": statement,
            "sha256": sha256,
        }
        async with self._database.write() as session:
            await add_if_missing(session, EvidenceRecord, row)
            return (await _require(session, evidence_id)).statement

    async def statement(self, evidence_id: UUID) -> bytes:
        """The stored statement.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.read() as session:
            return (await _require(session, evidence_id)).statement

    async def put_envelope(
        self, evidence_id: UUID, sha256: str, key_id: str, envelope: bytes
    ) -> bytes:
        """Store the envelope unless this key has signed the statement, and return the stored one.

        Args:
            sha256: of the statement that is signed, 64 lower-case hexadecimal digits.

        Raises:
            NotFoundError: the evidence has no statement.
            ConflictError: the stored statement has another digest.
        """
        row = {
            "evidence_id": evidence_id,
            "sha256": sha256,
            "key_id": key_id,
            "envelope": envelope,
        }
        async with self._database.write() as session:
            stored = await _require(session, evidence_id)
            if stored.sha256 != sha256:
                raise ConflictError(
                    "sha256",
                    f"the stored statement's is {stored.sha256}, not {sha256}",
                    "sign the stored statement",
                )
            await add_if_missing(session, EnvelopeRecord, row)
            found = await session.scalars(
                select(EnvelopeRecord.envelope).where(
                    EnvelopeRecord.sha256 == sha256, EnvelopeRecord.key_id == key_id
                )
            )
            return found.one()

    async def get(self, promotion_id: UUID) -> EvidenceRow:
        """The promotion's evidence that counts: its latest, with the envelope stored first.

        Raises:
            NotFoundError: there is none, or it is not signed yet.
        """
        async with self._database.read() as session:
            found = (await session.execute(_by_age(promotion_id).limit(1))).first()
        if found is None:
            raise NotFoundError(
                "evidence",
                f"promotion {promotion_id} has none",
                "it is made when the promotion ends",
            )
        evidence, envelope = found
        if envelope is None:
            raise NotFoundError("evidence", f"that of promotion {promotion_id} is not signed yet")
        return _row(evidence, envelope)

    async def all(self, promotion_id: UUID) -> list[EvidenceRow]:
        """All signed evidence of the promotion, the latest first; several after a reset."""
        async with self._database.read() as session:
            found = (await session.execute(_by_age(promotion_id))).all()
        rows: dict[UUID, EvidenceRow] = {}
        for evidence, envelope in found:
            if envelope is not None and evidence.id not in rows:
                rows[evidence.id] = _row(evidence, envelope)
        return list(rows.values())

    async def latest_digest(self, promotion_id: UUID, *, beside: UUID) -> str | None:
        """SHA-256 of the promotion's latest statement other than that of the evidence `beside`.

        64 lower-case hexadecimal digits; None when there is no other.
        """
        query = (
            select(EvidenceRecord.sha256)
            .where(EvidenceRecord.promotion_id == promotion_id, EvidenceRecord.id != beside)
            .order_by(EvidenceRecord.finished_at.desc())
            .limit(1)
        )
        async with self._database.read() as session:
            return await session.scalar(query)


def _by_age(promotion_id: UUID) -> Select[EvidenceRecord, EnvelopeRecord]:
    return (
        select(EvidenceRecord, EnvelopeRecord)
        .outerjoin(EnvelopeRecord, EnvelopeRecord.evidence_id == EvidenceRecord.id)
        .where(EvidenceRecord.promotion_id == promotion_id)
        .order_by(EvidenceRecord.finished_at.desc(), EvidenceRecord.id, EnvelopeRecord.number)
    )


def _row(evidence: EvidenceRecord, envelope: EnvelopeRecord) -> EvidenceRow:
    return EvidenceRow(
        id=evidence.id,
        promotion_id=evidence.promotion_id,
        finished_at=evidence.finished_at,
        statement=evidence.statement,
        envelope=envelope.envelope,
        sha256=evidence.sha256,
        key_id=envelope.key_id,
    )


async def _require(session: AsyncSession, evidence_id: UUID) -> EvidenceRecord:
    found = await session.get(EvidenceRecord, evidence_id)
    if found is None:
        raise NotFoundError("evidence", f"there is no evidence {evidence_id}")
    return found
