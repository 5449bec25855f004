"""A cancel counts at whatever moment it comes, and cuts nothing off in the middle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError

from engine.model import identity
from engine.model.agent_task import TaskStatus
from engine.model.lock import lock_workflow_id
from engine.model.promotion import PromotionStatus
from engine.store.executions import ExecutionRepository
from engine.store.promotions import PromotionRepository
from tests.harness.system import System, running_system, until, with_agents
from tests.workflows.faults import (
    Handle,
    child,
    end,
    id_of,
    refuse,
    slow,
    spans_of,
    statuses,
    stored,
)

GATE = "[{type: approval, config: {required: 1, users: [bob, carol]}}]"

FAILING = """\
    template:
      name: failing
      nodes:
        - {id: ask, type: approval, inputs: {required: 1, users: [dora]}, timeout: 1s}
        - {id: deploy, type: deploy}
"""

CANCELLED, COMPLETED = PromotionStatus.CANCELLED, WorkflowExecutionStatus.COMPLETED

IMPATIENT = timedelta(seconds=2)
"""Timeout of workflow tasks; one that waits for a slow store reports back at four fifths of it."""


def restarting(tenant: str) -> str:
    """An environment whose service takes some time to restart."""
    return (
        f"  - name: slow\n    targets:\n      - {{name: t1, agent: {tenant}-slow-t1, "
        "config: {restart_command: [sh, -c, 'sleep 2; echo done > ../../restarted']}}\n"
        "    gates: []\n"
    )


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("staging", targets=1)
            + running.environment_yaml("production", targets=1, gates=GATE)
            + running.environment_yaml("failing", targets=1, more=FAILING)
            + restarting(running.tenant)
        )
        yield running


async def start_impatient(system: System, environment: str) -> Handle:
    return await system.client.start_workflow(
        "promotion.request",
        {
            "release": await system.release("1.0.0"),
            "environment": environment,
            "tenant": system.tenant,
            "requested_by": "alice",
        },
        id=f"promotion/{uuid4()}",
        task_queue="promotions",
        task_timeout=IMPATIENT,
    )


@pytest.mark.parametrize("which", ["workflow", "deployment/deploy"])
async def test_a_child_that_is_cancelled_by_itself_is_no_success(
    system: System, which: str
) -> None:
    handle = await system.start(await system.release("1.0.0"), "staging")
    await child(system, handle, "deployment/deploy")
    await (await child(system, handle, which)).cancel()
    assert await end(handle) is COMPLETED
    assert (await stored(system, handle)).status is CANCELLED
    assert await statuses(system, "deployment_jobs") in ([], ["cancelled"])
    assert await statuses(system, "workflow_runs") == ["cancelled"]


async def test_a_second_cancel_does_not_cut_the_gates_records_short(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = slow(monkeypatch, PromotionRepository, "record_gate", 4)
    handle = await start_impatient(system, "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    first = asyncio.create_task(handle.execute_update("cancel", {"user": "bob"}))
    await called.wait()
    await handle.execute_update("cancel", {"user": "carol"})
    await first
    assert await end(handle) is COMPLETED
    row = await stored(system, handle)
    assert row.status is CANCELLED
    assert [gate.name for gate in row.gates] == ["approval"]
    spans = {span.span_id: span for span in await spans_of(system, handle)}
    for span in spans.values():
        parent = spans.get(span.parent_span_id or "")
        assert parent is None or (
            span.ended_at is not None
            and parent.ended_at is not None
            and span.ended_at <= parent.ended_at
        )


async def test_a_cancel_before_the_work_begins_is_not_lost(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = slow(
        monkeypatch,
        PromotionRepository,
        "record_status",
        1,
        lambda _, status, *__, **___: status is PromotionStatus.PENDING,
    )
    handle = await system.start(await system.release("1.0.0"), "staging")
    await called.wait()
    state = await handle.execute_update("cancel", {"user": "bob"})
    assert state["status"] == "cancelling"
    async with with_agents(system, "staging-t1"):
        assert await end(handle) is COMPLETED
    assert (await stored(system, handle)).status is CANCELLED


async def test_temporals_cancel_before_the_work_begins_leaves_a_whole_root(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = slow(
        monkeypatch,
        PromotionRepository,
        "record_status",
        3,
        lambda _, status, *__, **___: status is PromotionStatus.PENDING,
    )
    handle = await start_impatient(system, "staging")
    await called.wait()
    await handle.cancel()
    assert await end(handle) is WorkflowExecutionStatus.CANCELED
    assert (await stored(system, handle)).status is CANCELLED
    root = (await spans_of(system, handle))[0]
    assert {"promotion.status", "promotion.decision"} <= root.attributes.keys()


async def test_temporals_cancel_at_the_very_end_changes_nothing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(monkeypatch, PromotionRepository, "record_vote", 3)
    handle = await start_impatient(system, "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    vote = asyncio.create_task(handle.execute_update("reject", {"user": "bob"}))
    while (await stored(system, handle)).status is not PromotionStatus.REJECTED:
        await asyncio.sleep(0.05)
    await handle.cancel()
    assert await end(handle) is COMPLETED
    await vote
    assert (await stored(system, handle)).status is PromotionStatus.REJECTED


async def test_a_cancel_does_not_wait_for_the_database(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(
        monkeypatch,
        PromotionRepository,
        "record_status",
        lambda _, status, *__, **___: status is PromotionStatus.CANCELLING,
    )
    handle = await system.start(await system.release("1.0.0"), "staging")
    await system.until_status(handle.id, PromotionStatus.RUNNING)
    await asyncio.gather(handle.execute_update("cancel", {"user": "bob"}), return_exceptions=True)
    async with with_agents(system, "staging-t1"):
        await end(handle)
    assert (await stored(system, handle)).status is CANCELLED


async def test_a_cancelled_deployment_ends_when_its_agents_do(system: System) -> None:
    first = await system.start(await system.release("1.0.0"), "slow")
    second = await system.start(await system.release("1.1.0"), "slow")
    target = system.settings.home / "agents" / f"{system.tenant}-slow-t1" / "t1"
    async with with_agents(system, "slow-t1"):
        await until((target / "current" / "VERSION").exists, "switched")
        # Temporal's own cancel beside ours makes no difference.
        await asyncio.gather(
            first.execute_update("cancel", {"user": "bob"}), first.cancel(), return_exceptions=True
        )
        await end(first)
        assert (await stored(system, first)).status is CANCELLED
        restarted = len(list(target.rglob("restarted")))
        await system.until_status(second.id, PromotionStatus.RUNNING)
        assert len(list(target.rglob("restarted"))) == restarted
        await second.execute_update("cancel", {"user": "bob"})
        await end(second)


async def test_a_cancel_while_the_deployments_end_is_recorded_keeps_the_record_whole(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a child's workflow task takes to report back, so that the cancel reaches it.
    called = slow(monkeypatch, ExecutionRepository, "record_tasks", 9)
    handle = await system.start(await system.release("1.0.0"), "staging")
    async with with_agents(system, "staging-t1"):
        await called.wait()
        await handle.execute_update("cancel", {"user": "bob"})
        assert await end(handle) is COMPLETED
    promotion = id_of(handle)
    tasks = await system.store.executions.tasks(identity.job_id(promotion, "deploy"))
    assert {task.status for task in tasks} == {TaskStatus.SUCCEEDED}
    statement = (await system.store.evidence.get(promotion)).statement
    assert b'"target":"t1"' in statement
    assert "running" not in await statuses(system, "workflow_runs")
    assert await statuses(system, "deployment_jobs") == ["succeeded"]


async def test_a_cancel_after_a_step_has_failed_ends_the_deployment_beside_it(
    system: System,
) -> None:
    handle = await system.start(await system.release("1.0.0"), "failing")
    deployment = await child(system, handle, "deployment/deploy")
    while "failed" not in await statuses(system, "step_runs"):
        await asyncio.sleep(0.05)
    # No agent runs, so that the deployment would wait for one.
    await handle.execute_update("cancel", {"user": "bob"})
    await end(handle)
    assert await end(deployment) is COMPLETED
    assert await statuses(system, "step_runs") == ["cancelled", "failed"]
    assert await statuses(system, "workflow_runs") == ["failed"]


async def test_a_cancel_while_a_signal_is_on_its_way_is_not_swallowed(system: System) -> None:
    seed = random.Random(3)
    release = await system.release("1.0.0")
    lock = system.client.get_workflow_handle(lock_workflow_id(system.tenant, "staging"))
    for _ in range(2):
        handle = await system.start(release, "staging")
        deployment = await child(system, handle, "deployment/deploy")
        await asyncio.sleep(seed.random() * 0.04)
        await deployment.cancel()
        assert await end(deployment) is COMPLETED
        await end(handle)
        try:
            await lock.result()
        except (RPCError, WorkflowFailureError):
            continue
