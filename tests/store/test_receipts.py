from __future__ import annotations

import asyncio

from engine.store.store import Store

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER = "ab" * 16


def span(number: int) -> str:
    return f"{number:016x}"


async def test_receipts_are_kept_once_by_trace(store: Store) -> None:
    await store.receipts.add([(TRACE, span(1)), (TRACE, span(2)), (OTHER, span(1))])
    await store.receipts.add([(TRACE, span(2)), (TRACE, span(3)), (TRACE, span(3))])
    assert await store.receipts.of(TRACE) == {span(1), span(2), span(3)}
    assert await store.receipts.of(OTHER) == {span(1)}
    assert await store.receipts.of("00" * 16) == frozenset()


async def test_the_same_receipts_written_at_once_do_no_harm(store: Store) -> None:
    batch = [(TRACE, span(number)) for number in range(1, 50)]
    await asyncio.gather(*(store.receipts.add(batch) for _ in range(5)))
    assert len(await store.receipts.of(TRACE)) == len(batch)
