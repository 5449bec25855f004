from __future__ import annotations

from uuid import uuid4

import pytest

from engine.errors import NotFoundError
from engine.model import identity
from engine.model.auto_promotion import Hold
from engine.store.store import Store
from tests.store.samples import after, opened, snapshot

ENVIRONMENT = snapshot().environment.id


def hold(number: int = 1, **changes: object) -> Hold:
    values = {
        "id": identity.hold_id(ENVIRONMENT, identity.promotion_id(str(number), "run")),
        "environment_id": ENVIRONMENT,
        "reason": f"rollback {number}",
        "held_by": "alice",
        "held_at": after(number),
    }
    return Hold.model_validate(values | changes)


async def test_a_hold_is_in_force_until_it_is_lifted(store: Store) -> None:
    promotion = await opened(store)
    by_rollback = hold(1, promotion_id=promotion.promotion_id)
    by_hand = hold(2)
    assert await store.holds.add(by_hand)
    assert await store.holds.add(by_rollback)
    assert await store.holds.of(ENVIRONMENT) == (by_rollback, by_hand)

    lifted = await store.holds.lift(ENVIRONMENT, by="bob", at=after(9), reason="fixed")
    assert [(one.reason, one.lifted_by, one.lifted_at, one.lift_reason) for one in lifted] == [
        ("rollback 1", "bob", after(9), "fixed"),
        ("rollback 2", "bob", after(9), "fixed"),
    ]
    assert await store.holds.of(ENVIRONMENT) == ()
    assert await store.holds.all(ENVIRONMENT) == lifted


async def test_what_was_lifted_stays_lifted_when_it_is_set_again(store: Store) -> None:
    await opened(store)
    assert await store.holds.add(hold())
    await store.holds.lift(ENVIRONMENT, by="bob", at=after(9))
    assert not await store.holds.add(hold())
    assert await store.holds.of(ENVIRONMENT) == ()
    assert await store.holds.lift(ENVIRONMENT, by="carol", at=after(10)) == ()


async def test_a_hold_of_an_unknown_environment_is_refused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        await store.holds.add(hold(environment_id=uuid4()))
