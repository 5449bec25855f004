"""One promotion at a time deploys to an environment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import WorkflowHandle

from engine.model.lock import LockState, lock_workflow_id
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.model.verdict import Decision
from engine.projection import project
from tests.harness.system import System, running_system, with_agents


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply("environments:\n" + running.environment_yaml("staging", targets=1))
        yield running


async def lock_state(system: System) -> LockState:
    handle = system.client.get_workflow_handle(lock_workflow_id(system.tenant, "staging"))
    return LockState.model_validate(await handle.query("state"))


async def test_promotions_deploy_one_after_the_other_in_the_order_of_request(
    system: System,
) -> None:
    releases = [await system.release(f"1.{number}.0") for number in range(3)]
    handles: list[WorkflowHandle[Any, Any]] = []
    for release in releases:
        handle = await system.start(release, "staging")
        # No agent runs yet, so the first one keeps the lock while the others queue.
        await system.until_status(
            handle.id, PromotionStatus.QUEUED if handles else PromotionStatus.RUNNING
        )
        handles.append(handle)
    state = await lock_state(system)
    assert state.holder is not None
    assert [state.holder.release, *(one.release for one in state.queue)] == releases

    async with with_agents(system, "staging-t1"):
        results = [PromotionResult.model_validate(await handle.result()) for handle in handles]

    assert {result.status for result in results} == {PromotionStatus.SUCCEEDED}
    jobs = []
    for handle in handles:
        spans = (await project(system.client, handle.id)).spans
        (job,) = [span for span in spans if span.name == "deployment.execute"]
        jobs.append((job.started_at, job.ended_at))
    for (_, end), (start, _) in pairwise(jobs):
        assert end is not None
        assert end <= start
    assert system.running_version("staging", "t1") == "version 1.2.0\n"


async def test_a_workflow_id_used_again_gets_the_lock_of_its_dead_predecessor(
    system: System,
) -> None:
    async def start(version: str) -> WorkflowHandle[Any, Any]:
        return await system.client.start_workflow(
            "promotion.request",
            {
                "release": await system.release(version),
                "environment": "staging",
                "tenant": system.tenant,
                "requested_by": "alice",
            },
            id=f"nightly-{system.tenant}",
            task_queue="promotions",
        )

    first = await start("1.0.0")
    while (await first.query("status"))["status"] != "running":
        await asyncio.sleep(0.05)
    await first.terminate()
    second = await start("1.1.0")
    async with with_agents(system, "staging-t1"):
        result = PromotionResult.model_validate(await second.result())
    assert result.status is PromotionStatus.SUCCEEDED


async def test_a_grant_that_answers_no_request_is_not_heard(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    first = await system.start(await system.release("1.0.0"), "staging")
    await system.until_status(first.id, PromotionStatus.RUNNING)
    second = await system.start(await system.release("1.1.0"), "staging")
    await system.until_status(second.id, PromotionStatus.QUEUED)
    for grant in ([], [""], [str(uuid4())], [7]):
        await second.signal("lock_granted", args=grant)
    foreign = {"nonce": str(uuid4()), "by": str(uuid4()), "release": "web@9.9.9"}
    for word in ([], ["nonsense"], [{"nonce": 7}], [foreign]):
        await second.signal("lock_superseded", args=word)
    state = await system.promotions.state(second.id.removeprefix("promotion/"))
    assert state.status is PromotionStatus.QUEUED
    assert sum("answers no request" in line.getMessage() for line in caplog.records) == 3
    for handle in (first, second):
        await handle.terminate()


async def test_a_holder_that_dies_gives_the_lock_to_the_next(system: System) -> None:
    first = await system.start(await system.release("1.0.0"), "staging")
    await system.until_status(first.id, PromotionStatus.RUNNING)
    second = await system.start(await system.release("1.1.0"), "staging")
    await system.until_status(second.id, PromotionStatus.QUEUED)
    await first.terminate(reason="the operator's hand slipped")

    async with with_agents(system, "staging-t1"):
        result = PromotionResult.model_validate(await second.result())
    assert result.status is PromotionStatus.SUCCEEDED


async def test_a_promotion_cancelled_in_the_queue_leaves_it(system: System) -> None:
    first = await system.start(await system.release("1.0.0"), "staging")
    await system.until_status(first.id, PromotionStatus.RUNNING)
    second = await system.start(await system.release("1.1.0"), "staging")
    await system.until_status(second.id, PromotionStatus.QUEUED)
    await second.execute_update("cancel", {"user": "alice"})
    result = PromotionResult.model_validate(await second.result())
    assert result.status is PromotionStatus.CANCELLED
    assert (await lock_state(system)).queue == ()

    async with with_agents(system, "staging-t1"):
        await first.result()
    lock = system.client.get_workflow_handle(lock_workflow_id(system.tenant, "staging"))
    # Nobody wants it any more, so the lock's workflow ends.
    await asyncio.wait_for(lock.result(), 60)


async def test_the_latest_wins_and_those_queued_before_it_end_superseded(system: System) -> None:
    await system.apply(
        "environments:\n"
        + system.environment_yaml("staging", targets=1, more="    queue: latest-wins\n")
    )
    releases = [await system.release(f"2.{number}.0") for number in range(4)]
    handles: list[WorkflowHandle[Any, Any]] = []
    for release in releases:
        handle = await system.start(release, "staging")
        # No agent runs yet, so the first one keeps the lock while the others queue.
        await system.until_status(
            handle.id, PromotionStatus.QUEUED if handles else PromotionStatus.RUNNING
        )
        handles.append(handle)
    holder, *superseded, latest = handles

    for one, by in zip(superseded, handles[2:], strict=True):
        result = PromotionResult.model_validate(await asyncio.wait_for(one.result(), 60))
        winner = UUID(by.id.removeprefix("promotion/"))
        assert (result.status, result.decision) == (PromotionStatus.SUPERSEDED, Decision.ALLOW)
        assert result.superseded_by == winner
        assert result.evidence is not None
        stored = await system.store.promotions.get(result.promotion_id)
        assert (stored.status, stored.superseded_by) == (PromotionStatus.SUPERSEDED, winner)
        statement = json.loads((await system.store.evidence.get(result.promotion_id)).statement)
        assert statement["predicate"]["promotion"]["status"] == "superseded"
    state = await lock_state(system)
    assert state.holder is not None
    assert [state.holder.release, *(one.release for one in state.queue)] == [
        releases[0],
        releases[3],
    ]

    async with with_agents(system, "staging-t1"):
        results = [PromotionResult.model_validate(await one.result()) for one in (holder, latest)]
    assert {result.status for result in results} == {PromotionStatus.SUCCEEDED}
    assert system.running_version("staging", "t1") == "version 2.3.0\n"
    jobs = [
        [span.name for span in (await project(system.client, one.id)).spans].count(
            "deployment.execute"
        )
        for one in handles
    ]
    assert jobs == [1, 0, 0, 1]
