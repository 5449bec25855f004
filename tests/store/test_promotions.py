from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import permutations
from uuid import uuid4

import pytest

from engine.errors import ConflictError, NotFoundError
from engine.model.approval import Vote, VoteDecision
from engine.model.canonical import digest_of_bytes
from engine.model.failure import Failure
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision, GateOutcome, GateResult
from engine.store.database import Database
from engine.store.promotions import Reset
from engine.store.store import Store
from tests.store.counting import statements
from tests.store.samples import (
    TENANT,
    TRACE_ID,
    after,
    contents,
    definition,
    opened,
    release,
    snapshot,
)

FAILURE = Failure(type="DriverError", message="no space left", stacktrace="Traceback …")
FINAL = [status for status in PromotionStatus if status.is_final]


def gate(name: str = "security", ended: float = 5, **changes: object) -> GateResult:
    whole = GateResult(
        name=name,
        type="security",
        outcome=GateOutcome.PASSED,
        reason="no finding above the threshold",
        attributes={
            "vulnerabilities.critical": 0,
            "approval.wait_seconds": 1.5,
            "seen": True,
            "by": ("bob", "carol"),
            "note": "x",
        },
        inputs={"report": digest_of_bytes(b"report")},
        started_at=after(1),
        ended_at=after(ended),
    )
    return whole.model_copy(update=changes)


def vote(user: str, decision: VoteDecision = VoteDecision.APPROVE, at: float = 7) -> Vote:
    binding = digest_of_bytes(b"what they saw")
    return Vote(user=user, decision=decision, comment="fine", binding=binding, at=after(at))


async def test_an_opened_promotion_is_pending_and_holds_its_snapshot(store: Store) -> None:
    promotion = await opened(store)
    row = await store.promotions.get(promotion.promotion_id)
    assert row.snapshot == promotion
    assert row.snapshot.binding == promotion.binding
    assert (row.id, row.status, row.decision) == (
        promotion.promotion_id,
        PromotionStatus.PENDING,
        None,
    )
    assert (row.workflow_id, row.run_id, row.trace_id) == ("promotion/1", "run-1", TRACE_ID)
    assert (row.started_at, row.status_at, row.ended_at) == (after(1), after(1), None)


async def test_opening_twice_leaves_the_status_alone(store: Store) -> None:
    promotion = await opened(store)
    await store.promotions.record_status(
        promotion.promotion_id, PromotionStatus.RUNNING, Decision.ALLOW, at=after(9)
    )
    before = await store.promotions.get(promotion.promotion_id)
    await opened(store)
    assert await store.promotions.get(promotion.promotion_id) == before


async def test_a_promotion_belongs_to_the_run_that_opened_it(store: Store) -> None:
    promotion = await opened(store)
    with pytest.raises(ConflictError, match="was carried out by run run-1 already"):
        await store.promotions.open(promotion, "promotion/1", "run-2", TRACE_ID)


async def test_a_promotion_of_nothing_on_record_is_refused(store: Store) -> None:
    with pytest.raises(NotFoundError, match="not recorded"):
        await store.promotions.open(snapshot(), "promotion/1", "run-1", TRACE_ID)


async def test_a_status_carries_decision_and_failure_and_keeps_earlier_ones(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    record = store.promotions.record_status
    await record(promotion, PromotionStatus.RUNNING, Decision.ALLOW, at=after(10))
    await record(promotion, PromotionStatus.FAILED, None, at=after(20), failure=FAILURE)
    row = await store.promotions.get(promotion)
    assert (row.status, row.decision, row.failure) == (
        PromotionStatus.FAILED,
        Decision.ALLOW,
        FAILURE,
    )
    assert (row.status_at, row.ended_at) == (after(20), after(20))


@pytest.mark.parametrize("final", FINAL)
async def test_a_final_status_stays_whatever_comes_later(
    store: Store, final: PromotionStatus
) -> None:
    promotion = (await opened(store)).promotion_id
    await store.promotions.record_status(promotion, final, Decision.DENY, at=after(20))
    settled = await store.promotions.get(promotion)
    assert settled.ended_at == after(20)
    for status in PromotionStatus:
        await store.promotions.record_status(
            promotion, status, Decision.ALLOW, at=after(30), failure=FAILURE
        )
    assert await store.promotions.get(promotion) == settled


async def test_the_latest_run_of_a_promotion_counts_whatever_the_order_of_arrival(
    store: Store,
) -> None:
    first = [
        (PromotionStatus.RUNNING, Decision.ALLOW, None, 2.0, None),
        (PromotionStatus.FAILED, Decision.ALLOW, FAILURE, 3.0, None),
    ]
    again = [
        (PromotionStatus.RUNNING, None, None, 5.0, "run-2"),
        (PromotionStatus.CANCELLED, Decision.DENY, None, 6.0, "run-2"),
    ]
    for number, order in enumerate(permutations([*first, *again])):
        promotion = (await opened(store, number, "1")).promotion_id
        for status, decision, failure, at, run in order:
            await store.promotions.record_status(
                promotion, status, decision, at=after(number + at), failure=failure, run_id=run
            )
        row = await store.promotions.get(promotion)
        assert (row.status, row.decision, row.failure, row.ended_at) == (
            PromotionStatus.CANCELLED,
            Decision.DENY,
            None,
            after(number + 6),
        )
        assert (row.run_id, row.status_run_id) == ("run-1", "run-2")


async def test_a_run_that_goes_on_after_a_reset_has_neither_end_nor_failure(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    record = store.promotions.record_status
    await record(promotion, PromotionStatus.FAILED, Decision.ALLOW, at=after(9), failure=FAILURE)
    await record(promotion, PromotionStatus.QUEUED, None, at=after(20), run_id="run-2")
    row = await store.promotions.get(promotion)
    assert (row.status, row.decision, row.failure, row.ended_at) == (
        PromotionStatus.QUEUED,
        None,
        None,
        None,
    )


async def test_a_reset_to_before_the_opening_opens_anew_and_a_late_opening_does_not(
    store: Store,
) -> None:
    promotion = await opened(store)
    ident = promotion.promotion_id
    await store.promotions.record_gate(ident, gate())
    await store.promotions.record_vote(ident, vote("bob"))
    await store.promotions.record_status(
        ident, PromotionStatus.FAILED, Decision.ALLOW, at=after(9), failure=FAILURE
    )
    changed = promotion.model_copy(update={"target_count": promotion.target_count + 1})

    async def open_again(run: str, at: float) -> None:
        await store.promotions.open(
            changed, "promotion/1", "run-1", TRACE_ID, reset=Reset(run, after(at))
        )

    before = await store.promotions.get(ident)
    await open_again("run-0", 8)
    assert await store.promotions.get(ident) == before
    await open_again("run-2", 20)
    row = await store.promotions.get(ident)
    assert row.snapshot == changed
    assert (row.status, row.status_at, row.decision, row.failure, row.ended_at) == (
        PromotionStatus.PENDING,
        after(20),
        None,
        None,
        None,
    )
    assert (row.gates, row.votes) == ((), ())
    await store.promotions.record_gate(ident, gate())
    await open_again("run-2", 21)
    assert (await store.promotions.get(ident)).gates == (gate(),)


async def test_whatever_the_order_of_arrival_the_same_status_is_recorded_in_the_end(
    store: Store,
) -> None:
    course = [
        (PromotionStatus.AWAITING_APPROVAL, 2.0),
        (PromotionStatus.RUNNING, 3.0),
        (PromotionStatus.SUCCEEDED, 4.0),
    ]
    for number, order in enumerate(permutations([*course, course[0]])):
        promotion = (await opened(store, number, "1")).promotion_id
        for status, at in order:
            await store.promotions.record_status(promotion, status, None, at=after(number + at))
        row = await store.promotions.get(promotion)
        assert (row.status, row.ended_at) == (PromotionStatus.SUCCEEDED, after(number + 4))


async def test_a_late_repetition_of_an_earlier_status_changes_nothing(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    await store.promotions.record_status(promotion, PromotionStatus.RUNNING, None, at=after(9))
    await store.promotions.record_status(promotion, PromotionStatus.QUEUED, None, at=after(8))
    row = await store.promotions.get(promotion)
    assert (row.status, row.status_at) == (PromotionStatus.RUNNING, after(9))


async def test_moments_come_back_in_utc_whatever_zone_they_were_given_in(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    given = datetime(2026, 7, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    await store.promotions.record_status(promotion, PromotionStatus.SUCCEEDED, None, at=given)
    ended = (await store.promotions.get(promotion)).ended_at
    assert ended == given
    assert ended is not None
    assert ended.utcoffset() == timedelta(0)


async def test_gates_come_back_whole_and_recording_them_again_changes_nothing(
    store: Store,
) -> None:
    promotion = (await opened(store)).promotion_id
    broken = gate("broken", outcome=GateOutcome.FAILED, error=FAILURE, rejected_by="bob")
    for result in (gate(), broken, gate(), broken):
        await store.promotions.record_gate(promotion, result)
    row = await store.promotions.get(promotion)
    assert row.gates == (broken, gate())
    attributes = row.gates[1].attributes
    assert {key: type(value) for key, value in attributes.items()} == {
        key: type(value) for key, value in gate().attributes.items()
    }


async def test_the_gates_last_end_counts_however_the_writes_arrive(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    later = gate(ended=9, outcome=GateOutcome.OVERRIDDEN)
    for result in (gate(), later, gate()):
        await store.promotions.record_gate(promotion, result)
    assert (await store.promotions.get(promotion)).gates == (later,)


async def test_each_persons_latest_vote_counts_however_the_writes_arrive(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    bob, carol = vote("bob", at=8), vote("carol", VoteDecision.REJECT, at=7)
    for item in (vote("bob", VoteDecision.REJECT, at=6), bob, carol, bob, carol):
        await store.promotions.record_vote(promotion, item)
    await store.promotions.record_vote(promotion, vote("bob", VoteDecision.REJECT, at=6))
    assert (await store.promotions.get(promotion)).votes == (carol, bob)


async def test_a_withdrawn_vote_stays_withdrawn_until_its_voter_votes_again(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    given = vote("bob").model_copy(
        update={
            "envelope": {"payload": "e30=", "n": 1.0},
            "is_signed": True,
            "on_behalf_of": "carol",
        }
    )
    withdrawn = given.model_copy(
        update={
            "withdrawn_at": after(8),
            "withdrawal_reason": "wrong one",
            "withdrawal_envelope": {"payload": "W10="},
        }
    )
    for item in (given, withdrawn, given):
        await store.promotions.record_vote(promotion, item)
    assert (await store.promotions.get(promotion)).votes == (withdrawn,)
    again = vote("bob", VoteDecision.REJECT, at=9)
    for item in (again, withdrawn):
        await store.promotions.record_vote(promotion, item)
    assert (await store.promotions.get(promotion)).votes == (again,)


async def test_what_belongs_to_an_unknown_promotion_is_refused(store: Store) -> None:
    unknown = uuid4()
    for call in (
        store.promotions.get(unknown),
        store.promotions.record_status(unknown, PromotionStatus.RUNNING, None, at=after(1)),
        store.promotions.record_gate(unknown, gate()),
        store.promotions.record_vote(unknown, vote("bob")),
    ):
        with pytest.raises(NotFoundError):
            await call


async def test_the_list_is_newest_first_by_environment_and_in_pages(store: Store) -> None:
    staging = definition("staging", order=0)
    await store.environments.apply(staging)
    ids = [(await opened(store, number)).promotion_id for number in (1, 2, 3)]
    other = snapshot(9, to=staging)
    await store.promotions.open(other, "promotion/9", "run-1", TRACE_ID)
    everything = [other.promotion_id, *ids[::-1]]
    promotions = store.promotions
    assert [row.id for row in await promotions.list(TENANT)] == everything
    assert [row.id for row in await promotions.list(TENANT, "production")] == ids[::-1]
    assert [row.id for row in await promotions.list(TENANT, "staging")] == [other.promotion_id]
    assert [row.id for row in await promotions.list(TENANT, limit=2, offset=1)] == everything[1:3]
    with pytest.raises(NotFoundError, match="it has: staging, production"):
        await promotions.list(TENANT, "prod")
    with pytest.raises(NotFoundError, match="no tenant"):
        await promotions.list("nobody")


async def test_a_tenant_sees_only_its_own_promotions(store: Store) -> None:
    ours = await opened(store)
    await store.environments.apply(definition(tenant="globex"))
    await store.releases.register("globex", release(tenant="globex"), contents())
    await store.promotions.open(snapshot(tenant="globex"), "promotion/g", "run-1", TRACE_ID)
    assert [row.id for row in await store.promotions.list(TENANT)] == [ours.promotion_id]
    assert len(await store.promotions.list("globex")) == 1


async def test_listing_takes_as_many_statements_for_many_promotions_as_for_one(
    store: Store, database: Database
) -> None:
    for number in range(4):
        promotion = (await opened(store, number)).promotion_id
        await store.promotions.record_gate(promotion, gate())
        await store.promotions.record_vote(promotion, vote("bob"))
    with statements(database) as few:
        await store.promotions.list(TENANT, limit=1)
    with statements(database) as many:
        rows = await store.promotions.list(TENANT)
    assert [(len(row.gates), len(row.votes)) for row in rows] == [(1, 1)] * 4
    assert len(few) == len(many)


async def test_text_that_no_database_can_hold_does_not_stop_a_report(store: Store) -> None:
    promotion = (await opened(store)).promotion_id
    output = "exit 1: \x00\udc80 café \U0001f680"
    failure = Failure(type="DriverError", message=output, stacktrace=output)
    await store.promotions.record_gate(
        promotion, gate(reason=output, attributes={"a\x00": output, "nan": float("nan")})
    )
    await store.promotions.record_status(
        promotion, PromotionStatus.ERRORED, None, at=after(9), failure=failure
    )
    row = await store.promotions.get(promotion)
    stored = "exit 1: \ufffd\ufffd café \U0001f680"
    assert row.failure is not None
    assert row.failure.message == row.failure.stacktrace == row.gates[0].reason == stored
    assert row.gates[0].attributes == {"a\ufffd": stored, "nan": "NaN"}
