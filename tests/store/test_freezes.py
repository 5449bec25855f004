from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model.freeze import Freeze
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision
from engine.store.store import Store
from tests.store.samples import TENANT, TENANT_ID, after, definition, opened

# The repository leaves out what is over by the clock.
NOW = datetime.now(UTC).replace(microsecond=0)


def freeze(name: str = "stop", environment: str | None = None, **more: object) -> Freeze:
    return Freeze.model_validate(
        {
            "id": uuid4(),
            "tenant_id": TENANT_ID,
            "name": name,
            "environment": environment,
            "reason": "because",
            "start": NOW,
            "created_by": "lena",
            "created_at": NOW,
            **more,
        }
    )


@pytest.fixture
async def tenant(store: Store) -> UUID:
    for name in ("production", "staging"):
        await store.environments.apply(definition(name))
    return TENANT_ID


async def names(store: Store, environment: str) -> list[str]:
    return [each.name for each in await store.freezes.of(TENANT_ID, environment)]


async def test_a_freeze_holds_for_its_environment_or_for_all(store: Store, tenant: UUID) -> None:
    await store.freezes.add(TENANT, freeze("here", "production"))
    await store.freezes.add(TENANT, freeze("everywhere", start=NOW - timedelta(hours=1)))
    assert await names(store, "production") == ["everywhere", "here"]
    assert await names(store, "staging") == ["everywhere"]
    assert await store.freezes.of(uuid4(), "production") == ()


async def test_what_is_read_is_what_was_set(store: Store, tenant: UUID) -> None:
    given = freeze(stops_the_line=True, end=NOW + timedelta(days=2))
    await store.freezes.add(TENANT, given)
    assert await store.freezes.of(TENANT_ID, "production") == (given,)
    await store.freezes.add(TENANT, given)
    assert await store.freezes.list(TENANT, NOW) == [given]


async def test_one_that_has_run_out_holds_no_more(store: Store, tenant: UUID) -> None:
    over = freeze("over", start=NOW - timedelta(days=2), end=NOW - timedelta(days=1))
    await store.freezes.add(TENANT, over)
    assert await names(store, "production") == []
    assert await store.freezes.list(TENANT, NOW) == []
    assert await store.freezes.list(TENANT, NOW, past=True) == [over]


async def test_lifting_ends_it_and_says_whose_word_that_was(store: Store, tenant: UUID) -> None:
    given = freeze()
    await store.freezes.add(TENANT, given)
    lifted, _ = await store.freezes.lift(TENANT, "stop", user="max", reason="calm", at=NOW)
    assert (lifted.lifted_by, lifted.lifted_at, lifted.lift_reason) == ("max", NOW, "calm")
    assert await names(store, "production") == []
    assert await store.freezes.list(TENANT, NOW, past=True) == [lifted]
    again = freeze()
    await store.freezes.add(TENANT, again)
    by_id, _ = await store.freezes.lift(TENANT, str(again.id), user="max", reason="", at=NOW)
    assert by_id.id == again.id


async def test_what_cannot_be_lifted_is_refused_with_the_reason(store: Store, tenant: UUID) -> None:
    async def refusal(ref: str) -> str:
        with pytest.raises(InputError) as refused:
            await store.freezes.lift(TENANT, ref, user="max", reason="", at=NOW)
        return str(refused.value)

    assert await refusal("none") == (
        "freeze: there is none called 'none'; see them with: promote freeze list"
    )
    await store.freezes.add(TENANT, freeze())
    await store.freezes.lift(TENANT, "stop", user="max", reason="", at=NOW)
    assert (await refusal("stop")).startswith("freeze: 'stop' was lifted by max at ")
    await store.freezes.add(
        TENANT, freeze("over", start=NOW - timedelta(days=2), end=NOW - timedelta(days=1))
    )
    assert (await refusal("over")).endswith("by itself")
    with pytest.raises(NotFoundError, match="tenant"):
        await store.freezes.lift("nobody", "stop", user="max", reason="", at=NOW)


async def test_two_of_one_name_do_not_hold_at_once(store: Store, tenant: UUID) -> None:
    await store.freezes.add(TENANT, freeze())
    with pytest.raises(ConflictError, match="'stop' is a freeze already, by lena: because"):
        await store.freezes.add(TENANT, freeze())


async def test_what_it_is_for_has_to_exist(store: Store, tenant: UUID) -> None:
    with pytest.raises(NotFoundError, match="has no environment 'moon'"):
        await store.freezes.add(TENANT, freeze(environment="moon"))
    with pytest.raises(NotFoundError, match="there is no tenant"):
        await store.freezes.add("nobody", freeze())


async def test_the_promotions_under_way_in_its_scope_are_those_to_tell(store: Store) -> None:
    _, ended = await opened(store, 1), await opened(store, 2)
    await store.promotions.record_status(
        ended.promotion_id, PromotionStatus.SUCCEEDED, Decision.ALLOW, at=after(9)
    )
    await store.environments.apply(definition("elsewhere"))
    here = ended.environment.name
    assert await store.freezes.add(TENANT, freeze("all")) == ("promotion/1",)
    assert await store.freezes.add(TENANT, freeze("here", here)) == ("promotion/1",)
    assert await store.freezes.add(TENANT, freeze("there", "elsewhere")) == ()
    _, concerned = await store.freezes.lift(TENANT, "here", user="max", reason="", at=NOW)
    assert concerned == ("promotion/1",)
