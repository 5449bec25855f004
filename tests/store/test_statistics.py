from __future__ import annotations

from uuid import uuid4

import pytest

from engine.model import identity
from engine.model.promotion import PromotionSnapshot, PromotionStatus
from engine.model.verdict import Decision, GateOutcome, GateResult
from engine.store.database import Database
from engine.store.store import Store
from tests.store.counting import statements
from tests.store.samples import START, TENANT, after, definition, opened, start_job


async def ended(
    store: Store,
    promotion: PromotionSnapshot,
    status: PromotionStatus,
    decision: Decision = Decision.ALLOW,
    at: float = 100,
) -> None:
    await store.promotions.record_status(promotion.promotion_id, status, decision, at=after(at))


def gate(outcome: GateOutcome, name: str = "approval") -> GateResult:
    return GateResult(
        name=name,
        type="approval",
        outcome=outcome,
        reason="because",
        started_at=after(1),
        ended_at=after(2),
    )


async def test_ends_are_counted_once_by_environment_and_status(store: Store) -> None:
    for number in range(3):
        await ended(store, await opened(store, number), PromotionStatus.SUCCEEDED)
    denied = await opened(store, 3)
    for _ in range(2):
        await ended(store, denied, PromotionStatus.DENIED, Decision.DENY)
    await store.promotions.record_status(
        (await opened(store, 4)).promotion_id, PromotionStatus.RUNNING, None, at=after(9)
    )
    counted = {
        (one.tenant, one.environment, one.status): one.count
        for one in await store.statistics.ended()
    }
    assert counted == {
        (TENANT, "production", "succeeded"): 3,
        (TENANT, "production", "denied"): 1,
    }


async def test_gate_results_are_counted_by_name_type_and_outcome(store: Store) -> None:
    for number, outcome in enumerate([GateOutcome.PASSED, GateOutcome.PASSED, GateOutcome.FAILED]):
        promotion = await opened(store, number)
        for _ in range(2):
            await store.promotions.record_gate(promotion.promotion_id, gate(outcome))
    await store.promotions.record_gate(
        promotion.promotion_id, gate(GateOutcome.SKIPPED, name="second")
    )
    counted = {
        (one.environment, one.name, one.type, one.outcome): one.count
        for one in await store.statistics.gates()
    }
    assert counted == {
        ("production", "approval", "approval", "passed"): 2,
        ("production", "approval", "approval", "failed"): 1,
        ("production", "second", "approval", "skipped"): 1,
    }


async def test_every_environment_has_a_queue_and_most_are_empty(store: Store) -> None:
    await store.environments.apply(definition("staging", order=0), at=START)
    for number, status in enumerate([PromotionStatus.QUEUED] * 2 + [PromotionStatus.RUNNING]):
        promotion = await opened(store, number)
        await store.promotions.record_status(
            promotion.promotion_id, status, Decision.ALLOW, at=after(20)
        )
    found = {one.environment: one for one in await store.statistics.queues()}
    assert {name: queue.count for name, queue in found.items()} == {"production": 2, "staging": 0}
    assert found["production"].tenant == TENANT
    assert found["production"].tenant_id == identity.tenant_id(TENANT)
    assert sorted(await store.statistics.environments()) == [
        (TENANT, "production"),
        (TENANT, "staging"),
    ]


@pytest.mark.parametrize(
    ("status", "decision", "with_job", "counts"),
    [
        (PromotionStatus.SUCCEEDED, Decision.ALLOW, True, True),
        (PromotionStatus.FAILED, Decision.ALLOW, True, True),
        (PromotionStatus.ERRORED, Decision.ALLOW, True, True),
        (PromotionStatus.SUCCEEDED, Decision.ALLOW, False, False),
        (PromotionStatus.FAILED, Decision.ALLOW, False, False),
        (PromotionStatus.CANCELLED, Decision.ALLOW, True, False),
        (PromotionStatus.DENIED, Decision.DENY, False, False),
        (PromotionStatus.ERRORED, Decision.DENY, False, False),
        (PromotionStatus.RUNNING, Decision.ALLOW, True, False),
    ],
)
async def test_a_deployment_is_what_reached_its_targets_and_came_to_its_end(
    store: Store, status: PromotionStatus, decision: Decision, *, with_job: bool, counts: bool
) -> None:
    promotion = await opened(store)
    if with_job:
        await start_job(store, promotion)
    await ended(store, promotion, status, decision)
    found = await store.statistics.deployments(START)
    if not counts:
        assert found == []
        return
    (one,) = found
    assert (one.tenant, one.environment, one.product) == (TENANT, "production", "shop")
    assert (one.release_id, one.registered_at) == (promotion.release.id, START)
    assert one.ended_at == after(100)
    assert one.succeeded is (status is PromotionStatus.SUCCEEDED)


async def test_deployments_of_a_period_come_in_the_order_of_their_end(store: Store) -> None:
    for number, at in enumerate([300, 100, 200]):
        promotion = await opened(store, number)
        await start_job(store, promotion)
        await ended(store, promotion, PromotionStatus.SUCCEEDED, at=at)
    found = await store.statistics.deployments(after(100))
    assert [one.ended_at for one in found] == [after(200), after(300)]


async def test_a_promotion_s_subject(store: Store) -> None:
    promotion = await opened(store)
    found = await store.statistics.subject(promotion.promotion_id)
    assert found is not None
    assert (found.tenant, found.environment) == (TENANT, "production")
    assert found.requested_at == promotion.requested_at
    assert await store.statistics.subject(uuid4()) is None


async def test_the_database_counts_and_hands_out_one_row_for_each_number(
    store: Store, database: Database
) -> None:
    for number in range(5):
        promotion = await opened(store, number)
        await store.promotions.record_gate(promotion.promotion_id, gate(GateOutcome.PASSED))
        await ended(store, promotion, PromotionStatus.SUCCEEDED)
    with statements(database) as sent:
        assert len(await store.statistics.ended()) == 1
        assert len(await store.statistics.gates()) == 1
        assert len(await store.statistics.queues()) == 1
    assert len([one for one in sent if "count(" in one.lower()]) == 3
    assert not [one for one in sent if "snapshot" in one]
