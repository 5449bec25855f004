from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from engine.model.trace import TracedRun, UnsettledTrace
from engine.store.store import Store
from tests.store.samples import START, after

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER = "ab" * 16


def spans(first: int, count: int) -> tuple[str, ...]:
    return tuple(f"{number:016x}" for number in range(first, first + count))


def run(name: str, ids: tuple[str, ...], *children: str, trace: str = TRACE) -> TracedRun:
    return TracedRun(trace_id=trace, workflow_id=name, span_ids=ids, children=children)


async def owe(store: Store, name: str = "p", *, trace: str = TRACE, second: int = 0) -> UUID:
    promotion = uuid4()
    await store.traces.owe(
        UnsettledTrace(
            promotion_id=promotion,
            workflow_id=name,
            run_id="run-1",
            trace_id=trace,
            ended_at=after(second),
        )
    )
    return promotion


async def receive(store: Store, ids: tuple[str, ...], trace: str = TRACE) -> None:
    await store.receipts.add([(trace, span) for span in ids])


async def test_a_trace_is_settled_when_every_span_of_every_run_has_its_receipt(
    store: Store,
) -> None:
    promotion = await owe(store)
    own, child, grandchild = spans(1, 700), spans(1001, 3), spans(2001, 2)
    assert await store.traces.settle([promotion]) == frozenset()
    await store.traces.add_runs([run("p", own, "p/w"), run("p/w", child, "p/w/d")])
    await receive(store, own + child)
    assert await store.traces.settle([promotion]) == frozenset(), "one run is not known"
    await store.traces.add_runs([run("p/w/d", grandchild)])
    await receive(store, grandchild[:1])
    assert await store.traces.settle([promotion]) == frozenset(), "one span has no receipt"
    assert len(await store.traces.owed()) == 1
    await receive(store, grandchild[1:])
    assert await store.traces.settle([promotion]) == {promotion}
    assert await store.traces.owed() == []
    assert await store.traces.runs(TRACE) == ()
    assert await store.receipts.of(TRACE) == frozenset()


async def test_receipts_of_another_trace_do_not_count(store: Store) -> None:
    promotion = await owe(store)
    await store.traces.add_runs([run("p", spans(1, 2))])
    await receive(store, spans(1, 2), trace=OTHER)
    assert await store.traces.settle([promotion]) == frozenset()


async def test_settling_one_leaves_the_others_alone_in_a_trace_that_they_share(
    store: Store,
) -> None:
    first, second = await owe(store, "p"), await owe(store, "q", second=1)
    await store.traces.add_runs([run("p", spans(1, 2)), run("q", spans(11, 2))])
    await receive(store, spans(1, 2) + spans(11, 1))
    assert await store.traces.settle([first, second]) == {first}
    assert [trace.promotion_id for trace in await store.traces.owed()] == [second]
    assert await store.receipts.of(TRACE) == set(spans(11, 1))
    assert [one.workflow_id for one in await store.traces.runs(TRACE)] == ["q"]
    await store.traces.drop(second, TRACE, spans(11, 2))
    assert await store.traces.backlog() == 0
    assert await store.receipts.of(TRACE) == frozenset()
    assert await store.traces.runs(TRACE) == ()


async def test_what_nobody_owes_is_settled(store: Store) -> None:
    promotion = uuid4()
    assert await store.traces.settle([promotion]) == {promotion}
    assert await store.traces.settle([]) == frozenset()


async def test_dropping_takes_the_named_spans_only(store: Store) -> None:
    promotion = await owe(store)
    await receive(store, spans(1, 1200))
    await store.traces.drop(promotion, TRACE, spans(1, 1199))
    assert await store.receipts.of(TRACE) == set(spans(1200, 1))
    await store.traces.drop(promotion, TRACE, ())
    assert await store.receipts.of(TRACE) == set(spans(1200, 1))


async def test_the_longest_ended_come_first_and_the_latest_wait(store: Store) -> None:
    young, old = await owe(store, "young", second=20), await owe(store, "old", second=5)
    assert [one.promotion_id for one in await store.traces.owed()] == [old, young]
    assert [one.promotion_id for one in await store.traces.owed(after(10))] == [old]
    assert await store.traces.owed(START - timedelta(seconds=1)) == []
    assert [one.promotion_id for one in await store.traces.owed(limit=1)] == [old]
    assert await store.traces.backlog() == 2


async def test_a_run_that_is_told_twice_counts_as_it_was_told_last(store: Store) -> None:
    await store.traces.add_runs([run("p", spans(1, 1)), run("p", spans(1, 2))])
    await store.traces.add_runs([run("p", spans(1, 3), "p/w")])
    assert await store.traces.runs(TRACE) == (run("p", spans(1, 3), "p/w"),)
    await store.traces.add_runs([])


async def test_settling_at_once_settles_once(store: Store) -> None:
    promotion = await owe(store)
    await store.traces.add_runs([run("p", spans(1, 5))])
    await receive(store, spans(1, 5))
    told = await asyncio.gather(*(store.traces.settle([promotion]) for _ in range(5)))
    assert told == [{promotion}] * 5
    assert await store.traces.backlog() == 0
