from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from engine.model import identity
from engine.model.environment import Environment
from engine.model.lineage import Lineage, RelatedPromotion
from engine.model.promotion import PromotionStatus
from engine.model.release import Release
from engine.model.verdict import Decision
from engine.store.store import Store
from engine.telemetry import ids
from tests.store.samples import START, TENANT, after, contents, definition, release, snapshot


@dataclass
class Past:
    """A tenant's promotions, one a second."""

    store: Store
    tenant: str = TENANT
    made: int = 0
    environments: dict[str, Environment] = field(default_factory=dict)

    async def environment(self, name: str, order: int) -> None:
        wanted = definition(name, order=order, tenant=self.tenant)
        await self.store.environments.apply(wanted, at=START)
        self.environments[name] = wanted.environment

    async def release(self, version: str, name: str = "shop") -> Release:
        made = release(version, tenant=self.tenant).model_copy(
            update={
                "name": name,
                "id": identity.release_id(identity.tenant_id(self.tenant), name, version),
            }
        )
        await self.store.releases.register(self.tenant, made, contents(), at=START)
        return made

    async def promoted(
        self,
        of: Release,
        to: str,
        status: PromotionStatus = PromotionStatus.SUCCEEDED,
        *,
        ended: float | None = None,
    ) -> RelatedPromotion:
        self.made += 1
        promotion = snapshot(self.made, of=of, tenant=self.tenant).model_copy(
            update={"environment": self.environments[to]}
        )
        trace = ids.trace_id(promotion.promotion_id)
        await self.store.promotions.open(promotion, promotion.workflow_id, "run-1", trace)
        await self.store.promotions.record_status(
            promotion.promotion_id,
            status,
            Decision.ALLOW,
            at=after(self.made if ended is None else ended),
        )
        return RelatedPromotion(
            promotion_id=promotion.promotion_id,
            release_id=of.id,
            environment=to,
            trace_id=trace,
        )

    async def lineage(self, of: Release, to: str) -> Lineage:
        return await self.store.lineage.of(of, self.environments[to])


@pytest.fixture
async def past(store: Store) -> Past:
    past = Past(store)
    for name, order in (("dev", 0), ("test-a", 5), ("test-b", 5), ("production", 10)):
        await past.environment(name, order)
    return past


async def test_the_first_promotion_follows_upon_none(past: Past) -> None:
    assert await past.lineage(await past.release("1.0.0"), "production") == Lineage()


async def test_the_environment_before_is_that_of_the_next_lower_order(past: Past) -> None:
    one = await past.release("1.0.0")
    in_dev = await past.promoted(one, "dev")
    assert await past.lineage(one, "production") == Lineage()
    assert await past.lineage(one, "test-a") == Lineage(previous_environment=in_dev)
    in_test = await past.promoted(one, "test-a")
    assert await past.lineage(one, "production") == Lineage(previous_environment=in_test)
    assert await past.lineage(one, "test-b") == Lineage(previous_environment=in_dev)
    assert await past.lineage(one, "dev") == Lineage()


async def test_of_several_promotions_before_it_is_the_one_that_succeeded_last(past: Past) -> None:
    one = await past.release("1.0.0")
    last = await past.promoted(one, "test-a", ended=200)
    await past.promoted(one, "test-b", ended=100)
    await past.promoted(one, "test-a", ended=150)
    assert await past.lineage(one, "production") == Lineage(previous_environment=last)


@pytest.mark.parametrize(
    "status", [status for status in PromotionStatus if status is not PromotionStatus.SUCCEEDED]
)
async def test_only_what_succeeded_counts(past: Past, status: PromotionStatus) -> None:
    one, two = await past.release("1.0.0"), await past.release("2.0.0")
    await past.promoted(one, "test-a", status)
    await past.promoted(one, "production", status)
    await past.promoted(two, "production")
    assert await past.lineage(one, "production") == Lineage()
    await past.promoted(one, "production")
    await past.promoted(two, "production", status)
    assert await past.lineage(one, "production") == Lineage()


async def test_another_release_or_tenant_does_not_count(past: Past, store: Store) -> None:
    one = await past.release("1.0.0")
    await past.promoted(await past.release("2.0.0"), "test-a")
    other = Past(store, tenant="other")
    await other.environment("test-a", 5)
    await other.environment("odd", 9)
    await other.promoted(await other.release("1.0.0"), "test-a")
    assert await past.lineage(one, "production") == Lineage()
    # Nor do another tenant's environments change which one is before.
    in_test = await past.promoted(one, "test-a")
    assert await past.lineage(one, "production") == Lineage(previous_environment=in_test)


async def test_a_version_that_comes_back_rolls_back_the_one_that_is_there(past: Past) -> None:
    one, two = await past.release("1.0.0"), await past.release("2.0.0")
    await past.promoted(one, "production")
    assert await past.lineage(two, "production") == Lineage()
    newer = await past.promoted(two, "production")
    assert await past.lineage(one, "production") == Lineage(rolled_back=newer)
    assert await past.lineage(two, "production") == Lineage()
    older = await past.promoted(one, "production")
    assert await past.lineage(one, "production") == Lineage()
    assert await past.lineage(two, "production") == Lineage(rolled_back=older)


async def test_another_release_in_the_same_environment_is_not_rolled_back(past: Past) -> None:
    shop, cart = await past.release("1.0.0"), await past.release("1.0.0", "cart")
    await past.promoted(shop, "production")
    await past.promoted(cart, "production")
    assert await past.lineage(shop, "production") == Lineage()


async def test_what_was_there_before_comes_back_and_what_came_later_does_not(past: Past) -> None:
    first, second, third = [await past.release(version) for version in ("1.0", "2.0", "3.0")]
    production = past.environments["production"]

    async def coming_back() -> list[str]:
        return [
            each.version
            for each in (first, second, third)
            if await past.store.lineage.comes_back(each, production)
        ]

    assert await coming_back() == []
    await past.promoted(first, "production")
    await past.promoted(second, "production")
    await past.promoted(third, "production", PromotionStatus.FAILED)
    assert await coming_back() == ["1.0"]
    await past.promoted(third, "production")
    assert await coming_back() == ["1.0", "2.0"]
    await past.promoted(second, "production")
    assert await coming_back() == ["1.0"]
    await past.promoted(first, "test-a")
    assert not await past.store.lineage.comes_back(second, past.environments["test-a"])
