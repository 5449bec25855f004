"""Why a promotion is not further: asked of real promotions that wait, and that have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.model.obstacle import Explanation, Obstacle, ObstacleKind
from engine.model.promotion import PromotionStatus
from engine.worker import running_worker
from tests.client.requests import request
from tests.harness.system import PATIENCE, System, prepared_system, trivy_report, with_agents

GATES = """
      - type: approval
        name: leads
        config: {required: 1, groups: [managers]}
        override: {users: [dora]}
      - type: freeze_window
        name: calm
        config:
          on_freeze: wait
          windows: [{name: long, timezone: UTC, start: "%s", duration: 48h}]
"""


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as prepared:
        today = datetime.now(UTC) - timedelta(hours=1)
        gates = GATES % f"{today:%Y-%m-%dT%H:%M}"
        await prepared.apply(
            "groups: {managers: [bob, carol]}\nenvironments:\n"
            + prepared.environment_yaml("free", targets=1, more="    queue: latest-wins\n")
            + prepared.environment_yaml("gated", targets=1, gates=gates)
            + prepared.environment_yaml(
                "scanned", targets=1, gates="[{type: security, config: {max_critical: 0}}]"
            )
        )
        yield prepared


async def until_told(
    system: System, ref: str, condition: Callable[[Explanation], bool]
) -> Explanation:
    """The promotion's explanation as soon as it is as wanted."""
    told = None
    for _ in range(int(PATIENCE / 0.1)):
        told = await system.promotions.explain(ref)
        if condition(told):
            return told
        await asyncio.sleep(0.1)
    raise AssertionError(f"never told: {told}")


def has(*kinds: ObstacleKind) -> Callable[[Explanation], bool]:
    return lambda told: {each.kind for each in told.obstacles} == set(kinds)


def only(told: Explanation, kind: ObstacleKind) -> Obstacle:
    (found,) = [each for each in told.obstacles if each.kind is kind]
    return found


async def test_what_stands_in_the_way_is_told_with_who_can_act_and_until_when(
    system: System,
) -> None:
    release = await system.release("1.0.0")
    async with running_worker(system.settings):
        started = await system.promotions.start(request(system, release, "gated"))
        ref = str(started.promotion_id)
        told = await until_told(system, ref, has(ObstacleKind.APPROVAL, ObstacleKind.FREEZE))

        approval = only(told, ObstacleKind.APPROVAL)
        assert approval.where == "gate leads"
        assert approval.who == ("bob", "carol")
        assert approval.until is None
        assert approval.deadline is not None
        assert [(each.command, each.who) for each in approval.actions] == [
            (f"promote approve {ref}", ("bob", "carol")),
            (f"promote reject {ref}", ("bob", "carol")),
            (f"promote override {ref} --gate leads --reason REASON", ("dora",)),
        ]
        assert told.earliest is None
        assert "waits for" in told.summary

        await system.promotions.approve(ref, "bob")
        told = await until_told(system, ref, has(ObstacleKind.FREEZE))
        freeze = only(told, ObstacleKind.FREEZE)
        assert freeze.until is not None
        assert freeze.until == told.earliest
        assert freeze.until > datetime.now(UTC) + timedelta(hours=40)
        assert [(each.name, each.outcome) for each in told.gates] == [
            ("leads", "passed"),
            ("calm", "waiting"),
        ]
        state = await system.promotions.state(ref)
        assert (await system.promotions.with_obstacles(state)).waiting_for == freeze.text

    # The server forgets a worker that has said good-bye at once.
    told = await until_told(system, ref, has(ObstacleKind.WORKER))
    worker = only(told, ObstacleKind.WORKER)
    assert [each.command for each in worker.actions] == ["promote worker"]
    assert told.status is PromotionStatus.BLOCKED


async def test_the_queue_and_an_agent_that_is_away_are_told_and_so_is_who_took_the_place(
    system: System,
) -> None:
    releases = [await system.release(f"1.{number}.0") for number in range(3)]
    async with running_worker(system.settings):
        first = await system.start(releases[0], "free")
        told = await until_told(system, first.id, has(ObstacleKind.AGENT))
        agent = only(told, ObstacleKind.AGENT)
        name = f"{system.tenant}-free-t1"
        assert agent.where == f"agent {name}"
        assert [each.command for each in agent.actions] == [f"promote agent --id {name}"]
        # The task is given up then; nothing goes on by itself.
        assert agent.deadline is not None
        assert told.earliest is None

        second = await system.start(releases[1], "free")
        told = await until_told(system, second.id, has(ObstacleKind.LOCK))
        holder = first.id.removeprefix("promotion/")
        assert "it is next" in told.summary
        lock = only(told, ObstacleKind.LOCK)
        assert [each.command for each in lock.actions] == [f"promote explain {holder}"]
        state = await system.promotions.state(second.id)
        assert state.waiting_for == ""
        assert (await system.promotions.with_obstacles(state)).waiting_for == lock.text

        third = await system.start(releases[2], "free")
        told = await until_told(system, second.id, lambda told: told.ending is not None)
        assert told.status is PromotionStatus.SUPERSEDED
        assert told.ending is not None
        assert f"promotion/{told.ending.superseded_by}" == third.id
        assert releases[2] in told.summary
        async with with_agents(system, "free-t1"):
            await third.result()
        told = await system.promotions.explain(third.id)
        assert (told.obstacles, told.summary) == (
            (),
            f"succeeded: {releases[2]} is in free",
        )


async def test_an_end_is_told_with_the_gate_the_person_the_step_and_the_target(
    system: System,
) -> None:
    async with running_worker(system.settings), with_agents(system, "free-t1"):
        bad = await system.release("1.0.0", trivy_report(critical=1))
        denied = await system.start(bad, "scanned")
        await denied.result()
        told = await system.promotions.explain(denied.id)
        assert told.ending is not None
        assert told.ending.gates == ("security",)
        assert told.summary.startswith("denied: gate security: 1 critical")

        good = await system.release("1.1.0")
        rejected = await system.start(good, "gated")
        await system.until_status(rejected.id, PromotionStatus.AWAITING_APPROVAL)
        await system.promotions.reject(rejected.id, "carol", "not today")
        await rejected.result()
        told = await system.promotions.explain(rejected.id)
        assert told.ending is not None
        assert (told.ending.by, told.ending.gates) == ("carol", ("leads",))
        assert "not today" in told.summary

        lost = await system.start(await system.release("1.2.0", lost=True), "free")
        await system.until_status(lost.id, PromotionStatus.FAILED)
        told = await until_told(system, lost.id, lambda told: told.ending is not None)
        assert told.ending is not None
        assert (told.ending.step, told.ending.target) == ("deploy", "t1")
        assert told.summary == f"failed: {told.ending.reason}"

        cancelled = await system.start(good, "gated")
        await system.until_status(cancelled.id, PromotionStatus.AWAITING_APPROVAL)
        await system.promotions.cancel(cancelled.id, "alice", "wrong one")
        await cancelled.result()
        told = await system.promotions.explain(cancelled.id)
        assert told.summary == "cancelled: cancelled by alice: wrong one"
