from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from engine.errors import InputError, NotFoundError
from engine.model.approval import VoteDecision
from engine.model.promotion import PromotionStatus
from tests.client.requests import request
from tests.harness.system import System

PATIENCE = timedelta(seconds=60)


@pytest.fixture(scope="module")
async def release(system: System) -> str:
    return await system.release("1.0.0")


async def awaiting(system: System, release: str) -> str:
    started = await system.promotions.start(request(system, release, "gated"))
    workflow_id = f"promotion/{started.promotion_id}"
    await system.until_status(workflow_id, PromotionStatus.AWAITING_APPROVAL)
    return str(started.promotion_id)


async def test_an_approval_lets_it_go_on(system: System, release: str) -> None:
    promotion = await awaiting(system, release)
    state = await system.promotions.approve(promotion, "bob", "looks good")

    (vote,) = state.votes
    assert (vote.user, vote.decision, vote.comment) == ("bob", VoteDecision.APPROVE, "looks good")
    result = await system.promotions.result(promotion, PATIENCE)
    assert result.status is PromotionStatus.SUCCEEDED


async def test_a_rejection_ends_it(system: System, release: str) -> None:
    promotion = await awaiting(system, release)
    await system.promotions.reject(promotion, "carol", "not today")
    result = await system.promotions.result(promotion, PATIENCE)

    assert result.status is PromotionStatus.REJECTED


async def test_a_cancellation_ends_it(system: System, release: str) -> None:
    promotion = await awaiting(system, release)
    await system.promotions.cancel(promotion, "alice", "wrong release")
    result = await system.promotions.result(promotion, PATIENCE)
    state = await system.promotions.state(promotion)

    assert result.status is state.status is PromotionStatus.CANCELLED
    assert state.progress == "cancelled by alice: wrong release"


async def test_a_vote_that_cannot_count_is_refused_with_the_reason(
    system: System, release: str
) -> None:
    promotion = await awaiting(system, release)
    handle = system.client.get_workflow_handle(f"promotion/{promotion}")
    before = (await handle.describe()).history_length

    with pytest.raises(InputError, match="mallory"):
        await system.promotions.approve(promotion, "mallory")
    assert (await system.promotions.state(promotion)).votes == ()
    # A validator's refusal leaves nothing in the history.
    assert (await handle.describe()).history_length == before


async def test_what_has_ended_takes_no_votes(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "free"))
    await system.promotions.result(started.promotion_id, PATIENCE)

    with pytest.raises(InputError, match="has ended"):
        await system.promotions.approve(started.promotion_id, "bob")
    with pytest.raises(InputError, match="has ended"):
        await system.promotions.cancel(started.promotion_id, "bob")


async def test_a_vote_on_nothing_is_not_found(system: System) -> None:
    with pytest.raises(NotFoundError):
        await system.promotions.approve(uuid4(), "bob")


async def test_a_caller_that_gives_up_is_cancelled(system: System, release: str) -> None:
    promotion = await awaiting(system, release)

    async def wait() -> None:
        await system.promotions.result(promotion)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0.2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
