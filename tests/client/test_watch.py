from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

import engine.client.state as state_module
from engine.client import PromotionClient
from engine.errors import NotFoundError
from engine.model.promotion import PromotionState, PromotionStatus
from engine.temporal import connect
from engine.worker import running_worker
from tests.client.requests import request
from tests.harness.system import PATIENCE, System, running_system, with_agents


@pytest.fixture(scope="module")
async def release(system: System) -> str:
    return await system.release("1.0.0")


async def test_watching_shows_each_change_up_to_the_end(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "gated"))
    seen: list[PromotionState] = []
    async with asyncio.timeout(PATIENCE):
        async for state in system.promotions.watch(started.promotion_id):
            seen.append(state)
            if state.status is PromotionStatus.AWAITING_APPROVAL and not state.votes:
                await system.promotions.approve(started.promotion_id, "bob")

    statuses = list(dict.fromkeys(state.status for state in seen))
    assert statuses[-1] is PromotionStatus.SUCCEEDED
    assert statuses.index(PromotionStatus.AWAITING_APPROVAL) < statuses.index(
        PromotionStatus.RUNNING
    )
    assert all(one != other for one, other in pairwise(seen))
    assert seen[-1].evidence is not None


async def test_watching_what_has_ended_shows_the_end_once(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "free"))
    await system.promotions.result(started.promotion_id)
    seen = [state async for state in system.promotions.watch(started.promotion_id)]

    assert [state.status for state in seen] == [PromotionStatus.SUCCEEDED]


async def test_watching_ends_when_the_workflow_is_terminated(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "gated"))
    async with (
        asyncio.timeout(PATIENCE),
        aclosing(system.promotions.watch(started.promotion_id)) as states,
    ):
        await anext(states)
        await system.client.get_workflow_handle(f"promotion/{started.promotion_id}").terminate()
        rest = [state async for state in states]

    assert rest[-1].status is PromotionStatus.ERRORED


async def test_watching_nothing_is_not_found(system: System) -> None:
    with pytest.raises(NotFoundError):
        await anext(system.promotions.watch(uuid4()))


async def test_watching_outlasts_the_worker(
    tmp_path: Path, fresh_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "_ANSWER_WITHIN", timedelta(seconds=2))
    target = fresh_server.client.service_client.config.target_host
    seen: list[PromotionState] = []
    async with running_system(tmp_path, target, monkeypatch) as system:
        await system.apply(
            "groups: {managers: [bob]}\nenvironments:\n"
            + system.environment_yaml(
                "gated",
                targets=1,
                gates="[{type: approval, config: {required: 1, groups: [managers]}}]",
            )
        )
        release = await system.release("1.0.0")
        started = await system.promotions.start(request(system, release, "gated"))
        await system.until_status(
            f"promotion/{started.promotion_id}", PromotionStatus.AWAITING_APPROVAL
        )
        client = PromotionClient(await connect(system.settings))

        async def watch() -> None:
            async for state in client.watch(started.promotion_id):
                seen.append(state)

        watching = asyncio.create_task(watch())
        while not seen:
            await asyncio.sleep(0.05)
    try:
        # The worker is gone, and what happens meanwhile is seen once another one is there.
        update = asyncio.create_task(client.approve(started.promotion_id, "bob"))
        await asyncio.sleep(3)
        assert not watching.done()
        async with running_worker(system.settings), with_agents(system, "gated-t1"):
            async with asyncio.timeout(PATIENCE):
                await update
                await watching
    finally:
        watching.cancel()
    assert seen[-1].status is PromotionStatus.SUCCEEDED
