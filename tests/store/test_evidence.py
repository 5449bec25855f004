from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model import identity
from engine.model.canonical import sha256_hex
from engine.store.store import Store
from tests.store.samples import after, opened

STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1","x":"\xc3\xa9"}'
SHA256 = sha256_hex(STATEMENT)


async def stated(store: Store, number: int = 1) -> tuple[UUID, UUID]:
    """The ids of a promotion and of its evidence, whose statement is stored."""
    promotion = (await opened(store, number)).promotion_id
    evidence = identity.evidence_id(promotion)
    stored = await store.evidence.put_statement(
        evidence, promotion, STATEMENT, SHA256, finished_at=after(60)
    )
    assert stored == STATEMENT
    return promotion, evidence


async def test_signed_evidence_comes_back_byte_by_byte(store: Store) -> None:
    promotion, evidence = await stated(store)
    envelope = bytes(range(256))
    assert await store.evidence.put_envelope(evidence, SHA256, "key-1", envelope) == envelope
    row = await store.evidence.get(promotion)
    assert (row.id, row.promotion_id) == (evidence, promotion)
    assert (row.statement, row.envelope, row.sha256, row.key_id) == (
        STATEMENT,
        envelope,
        SHA256,
        "key-1",
    )
    assert await store.evidence.statement(evidence) == STATEMENT


async def test_the_statement_that_is_stored_wins_over_another(store: Store) -> None:
    promotion, evidence = await stated(store)
    other = b'{"another":1}'
    stored = await store.evidence.put_statement(
        evidence, promotion, other, sha256_hex(other), finished_at=after(61)
    )
    assert stored == STATEMENT
    assert await store.evidence.statement(evidence) == STATEMENT


async def test_the_envelope_that_is_stored_wins_over_another_of_the_same_key(store: Store) -> None:
    promotion, evidence = await stated(store)
    await store.evidence.put_envelope(evidence, SHA256, "key-1", b"first")
    assert await store.evidence.put_envelope(evidence, SHA256, "key-1", b"second") == b"first"
    assert (await store.evidence.get(promotion)).envelope == b"first"


async def test_another_key_may_sign_too_and_the_first_envelope_is_the_evidence(
    store: Store,
) -> None:
    promotion, evidence = await stated(store)
    await store.evidence.put_envelope(evidence, SHA256, "z-key", b"first")
    assert await store.evidence.put_envelope(evidence, SHA256, "a-key", b"second") == b"second"
    assert (await store.evidence.get(promotion)).key_id == "z-key"


async def test_only_the_stored_statement_is_signed(store: Store) -> None:
    _, evidence = await stated(store)
    with pytest.raises(ConflictError, match="sign the stored statement"):
        await store.evidence.put_envelope(evidence, sha256_hex(b"other"), "key-1", b"e")


async def test_a_digest_that_is_not_the_statements_is_refused(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    with pytest.raises(InputError, match="sha256"):
        await store.evidence.put_statement(
            uuid4(), promotion, STATEMENT, sha256_hex(b"other"), finished_at=after(60)
        )


async def test_evidence_that_is_missing_or_unsigned_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="has none"):
        await store.evidence.get(uuid4())
    with pytest.raises(NotFoundError, match="there is no evidence"):
        await store.evidence.statement(uuid4())
    with pytest.raises(NotFoundError, match="there is no evidence"):
        await store.evidence.put_envelope(uuid4(), SHA256, "key-1", b"e")
    promotion, _ = await stated(store)
    with pytest.raises(NotFoundError, match="not signed yet"):
        await store.evidence.get(promotion)


async def test_evidence_of_no_promotion_is_refused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.evidence.put_statement(
            uuid4(), uuid4(), STATEMENT, SHA256, finished_at=after(60)
        )


async def test_evidence_of_a_later_run_stands_beside_the_earlier_and_counts(store: Store) -> None:
    promotion, first = await stated(store)
    again, later = identity.evidence_id(promotion, "run-2"), b'{"later":1}'
    assert again != first
    assert await store.evidence.latest_digest(promotion, beside=first) is None
    await store.evidence.put_envelope(first, SHA256, "key-1", b"e1")
    assert await store.evidence.latest_digest(promotion, beside=again) == SHA256
    digest = sha256_hex(later)
    await store.evidence.put_statement(again, promotion, later, digest, finished_at=after(90))
    assert [row.id for row in await store.evidence.all(promotion)] == [first]
    await store.evidence.put_envelope(again, digest, "key-1", b"e2")
    await store.evidence.put_envelope(first, SHA256, "key-2", b"signed again, later")
    assert (await store.evidence.get(promotion)).envelope == b"e2"
    rows = await store.evidence.all(promotion)
    assert [(row.id, row.envelope) for row in rows] == [(again, b"e2"), (first, b"e1")]
