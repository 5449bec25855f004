from __future__ import annotations

from uuid import UUID

import pytest

from engine.errors import NotFoundError
from engine.model import identity
from engine.model.execution import StepResult, StepStatus
from engine.model.promotion import PromotionStatus
from engine.model.standing import Standing
from engine.model.verdict import Decision
from engine.store.store import Store
from tests.store.samples import (
    START,
    TENANT,
    TENANT_ID,
    TRACE_ID,
    after,
    contents,
    definition,
    opened,
    release,
    snapshot,
)


async def ended(
    store: Store,
    number: int,
    version: str,
    at: float,
    status: PromotionStatus = PromotionStatus.SUCCEEDED,
) -> UUID:
    promotion = (await opened(store, number, version)).promotion_id
    await store.promotions.record_status(promotion, status, Decision.ALLOW, at=after(at))
    return promotion


async def standing(store: Store, version: str = "1.4.0", tenant: str = TENANT) -> Standing:
    tenant_id = identity.tenant_id(tenant)
    return await store.standings.of(
        tenant_id, identity.release_id(tenant_id, "shop", version), "production"
    )


async def test_an_unknown_environment_is_told(store: Store) -> None:
    await opened(store)
    with pytest.raises(NotFoundError, match="'elsewhere'"):
        await store.standings.of(TENANT_ID, release().id, "elsewhere")


@pytest.mark.parametrize(
    "status", [None, *(each for each in PromotionStatus if each is not PromotionStatus.SUCCEEDED)]
)
async def test_only_a_success_makes_a_standing(
    store: Store, status: PromotionStatus | None
) -> None:
    promotion = (await opened(store)).promotion_id
    if status is not None:
        await store.promotions.record_status(promotion, status, None, at=after(10))
    assert await standing(store) == Standing(environment="production")


async def test_the_latest_success_counts_and_is_current_until_something_else_succeeds(
    store: Store,
) -> None:
    await ended(store, 1, "1.4.0", 100)
    second = await ended(store, 2, "1.4.0", 200)
    found = await standing(store)
    assert (found.promotion_id, found.succeeded_at) == (second, after(200))
    assert found.is_current
    assert found.replaced_at is None

    await ended(store, 3, "1.5.0", 250, PromotionStatus.FAILED)
    assert (await standing(store)).is_current

    await ended(store, 4, "1.5.0", 300)
    await ended(store, 5, "1.6.0", 400)
    found = await standing(store)
    assert not found.is_current
    assert found.replaced_at == after(300)
    assert (await standing(store, "1.6.0")).is_current

    again = await ended(store, 6, "1.4.0", 500)
    found = await standing(store)
    assert (found.promotion_id, found.is_current) == (again, True)


async def test_a_failure_counts_when_it_is_of_the_same_release_and_later(store: Store) -> None:
    await ended(store, 1, "1.4.0", 50, PromotionStatus.FAILED)
    await ended(store, 2, "1.4.0", 100)
    await ended(store, 3, "1.5.0", 150, PromotionStatus.ERRORED)
    await ended(store, 4, "1.4.0", 160, PromotionStatus.DENIED)
    assert (await standing(store)).failed_since is None
    first = await ended(store, 5, "1.4.0", 200, PromotionStatus.ERRORED)
    await ended(store, 6, "1.4.0", 300, PromotionStatus.FAILED)
    assert (await standing(store)).failed_since == first


async def test_the_steps_are_those_of_that_promotion_in_order_and_without_their_data(
    store: Store,
) -> None:
    def step(promotion: UUID, node: str, type: str, status: StepStatus, at: float) -> StepResult:
        return StepResult(
            node_id=node,
            type=type,
            run_id=identity.step_run_id(promotion, node),
            status=status,
            detail=f"{node} is done",
            inputs={"url": "https://example.org"},
            outputs={"large": "x" * 1000},
            attempt=2,
            started_at=after(at),
            ended_at=after(at + 1),
        )

    promotions = [await ended(store, 1, "1.4.0", 100), await ended(store, 2, "1.5.0", 90)]
    for promotion in promotions:
        await store.executions.record_run(
            promotion,
            identity.workflow_run_id(promotion),
            "standard",
            "1",
            StepStatus.SUCCEEDED,
            after(10),
            after(90),
        )
    steps = [
        step(promotions[0], "smoke", "verify", StepStatus.SUCCEEDED, 30),
        step(promotions[0], "deploy", "deploy", StepStatus.SUCCEEDED, 20),
        step(promotions[0], "tell", "notify", StepStatus.SKIPPED, 40),
    ]
    for each in steps:
        await store.executions.record_step(promotions[0], each)
    await store.executions.record_step(
        promotions[1], step(promotions[1], "deploy", "deploy", StepStatus.SUCCEEDED, 20)
    )
    bare = [each.model_copy(update={"inputs": {}, "outputs": {}}) for each in steps]
    assert (await standing(store)).steps == (bare[1], bare[0], bare[2])


async def test_a_tenant_sees_nothing_of_another(store: Store) -> None:
    mine = await ended(store, 1, "1.4.0", 100)
    theirs = definition(tenant="other")
    await store.environments.apply(theirs, at=START)
    for number, version in ((1, "1.4.0"), (2, "1.5.0")):
        of = release(version, tenant="other")
        await store.releases.register("other", of, contents(), at=START)
        promotion = snapshot(number, of=of, to=theirs, tenant="other")
        await store.promotions.open(promotion, f"other/{number}", "run-1", TRACE_ID)
        await store.promotions.record_status(
            promotion.promotion_id,
            PromotionStatus.SUCCEEDED,
            Decision.ALLOW,
            at=after(200 + number),
        )
    found = await standing(store)
    assert (found.promotion_id, found.is_current) == (mine, True)
    assert not (await standing(store, tenant="other")).is_current
    # Another tenant's release, asked for in mine, has no standing here.
    other = identity.release_id(identity.tenant_id("other"), "shop", "1.5.0")
    assert await store.standings.of(TENANT_ID, other, "production") == Standing(
        environment="production"
    )
