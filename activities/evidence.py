"""Activities that make and sign evidence, exactly once however often they run."""

from __future__ import annotations

import asyncio
from pathlib import Path

from temporalio import activity

from activities.runs import reset_run
from engine.evidence.envelope import sign_statement
from engine.evidence.keys import SigningKey
from engine.evidence.statement import build_statement
from engine.model import identity
from engine.model.canonical import sha256_hex
from engine.model.evidence import EvidenceInput, GeneratedEvidence, SignedEvidence
from engine.store.store import Store


class EvidenceActivities:
    """Activities over the evidence store and the signing key.

    Args:
        key_path: the private key's file, which the worker has made sure of at its start.
    """

    def __init__(self, store: Store, key_path: Path) -> None:
        self._store = store
        self._key_path = key_path

    @activity.defn(name="evidence.generate")
    async def generate(self, evidence: EvidenceInput) -> GeneratedEvidence:
        """Make the statement and store its bytes; a statement that is stored already wins.

        A run that came of a reset gets evidence of its own, which names the statement before it.
        """
        promotion_id = evidence.promotion.promotion_id
        run = reset_run(evidence.run_id)
        evidence_id = identity.evidence_id(promotion_id, run)
        if run is not None:
            earlier = await self._store.evidence.latest_digest(promotion_id, beside=evidence_id)
            evidence = evidence.model_copy(update={"run_id": run, "supersedes": earlier})
        statement = build_statement(evidence)
        stored = await self._store.evidence.put_statement(
            evidence_id,
            promotion_id,
            statement,
            sha256_hex(statement),
            finished_at=evidence.finished_at,
        )
        return GeneratedEvidence(
            id=evidence_id, promotion_id=promotion_id, sha256=sha256_hex(stored)
        )

    @activity.defn(name="evidence.sign")
    async def sign(self, generated: GeneratedEvidence) -> SignedEvidence:
        """Sign the stored statement; signing it again with the same key keeps the first envelope.

        Raises:
            InputError: the signing key cannot be used.
        """
        key = await asyncio.to_thread(SigningKey.load, self._key_path)
        statement = await self._store.evidence.statement(generated.id)
        envelope = sign_statement(statement, key)
        await self._store.evidence.put_envelope(
            generated.id, generated.sha256, key.key_id, envelope
        )
        return SignedEvidence(id=generated.id, sha256=generated.sha256, key_id=key.key_id)
