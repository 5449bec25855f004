"""A promotion that an operator resets: its latest run counts, and nothing of it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from engine.evidence.keys import SigningKey
from engine.evidence.verify import verify_envelope
from engine.model.lock import LockState, lock_workflow_id
from engine.model.promotion import PromotionState, PromotionStatus
from engine.model.verdict import Decision
from tests.harness.system import System, running_system, with_agents
from tests.workflows.faults import Handle, end, id_of, reset, statuses, stored

HURRIED = """\
    template:
      name: hurried
      nodes:
        - {id: deploy, type: deploy, timeout: 2s}
"""
COMPLETED = WorkflowExecutionStatus.COMPLETED


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("staging", targets=1)
            + running.environment_yaml("hurried", targets=1, more=HURRIED)
        )
        yield running


async def until(handle: Handle, wanted: PromotionStatus) -> None:
    found = None
    for _ in range(600):
        found = PromotionState.model_validate(await handle.query("status")).status
        if found is wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never became {wanted}; it is {found}")


async def lock_of(system: System, environment: str) -> LockState:
    lock = system.client.get_workflow_handle(lock_workflow_id(system.tenant, environment))
    return LockState.model_validate(await lock.query("state"))


async def test_the_second_end_is_on_record_and_the_evidence_of_both_verifies(
    system: System,
) -> None:
    first = await system.start(await system.release("1.0.0"), "hurried")
    assert await end(first) is WorkflowExecutionStatus.FAILED
    before = await stored(system, first)
    assert before.status is PromotionStatus.FAILED
    assert before.failure is not None
    async with with_agents(system, "hurried-t1"):
        again = await reset(system, first)
        assert await end(again) is COMPLETED
    row = await stored(system, first)
    assert (row.status, row.decision, row.failure) == (
        PromotionStatus.SUCCEEDED,
        Decision.ALLOW,
        None,
    )
    assert row.ended_at is not None
    assert before.ended_at is not None
    assert row.ended_at > before.ended_at
    assert (row.run_id, row.status_run_id) == (first.first_execution_run_id, again.run_id)
    for table in ("workflow_runs", "step_runs", "deployment_jobs", "agent_tasks"):
        assert set(await statuses(system, table)) == {"succeeded"}

    public_key = SigningKey.load(system.settings.effective_signing_key).public_pem()
    evidence = await system.store.evidence.all(id_of(first))
    later, earlier = (verify_envelope(one.envelope, public_key) for one in evidence)
    assert [one.statement.predicate.promotion.status for one in (earlier, later)] == [
        PromotionStatus.FAILED,
        PromotionStatus.SUCCEEDED,
    ]
    assert earlier.statement.predicate.supersedes is None
    assert later.statement.predicate.supersedes is not None
    assert later.statement.predicate.supersedes.sha256 == earlier.sha256
    assert later.statement.predicate.workflow.run_id == again.run_id
    current = await system.store.evidence.get(id_of(first))
    assert current.sha256 == later.sha256
    assert (await again.result())["evidence"]["sha256"] == later.sha256


async def test_what_changed_before_the_reset_is_what_the_second_run_is_about(
    system: System,
) -> None:
    first = await system.start(await system.release("1.0.0"), "staging")
    async with with_agents(system, "staging-t1"):
        await first.result()
    await system.apply("environments:\n" + system.environment_yaml("staging", targets=2))
    async with with_agents(system, "staging-t1", "staging-t2"):
        again = await reset(system, first)
        assert await end(again) is COMPLETED
    row = await stored(system, first)
    assert (row.status, row.snapshot.target_count) == (PromotionStatus.SUCCEEDED, 2)


@pytest.mark.parametrize("later", [0, 1])
async def test_a_reset_promotion_waits_for_the_lock_like_any_other(
    system: System, later: int
) -> None:
    first = await system.start(await system.release("1.0.0"), "staging")
    async with with_agents(system, "staging-t1"):
        await first.result()
    second = await system.start(await system.release("1.1.0"), "staging")
    await until(second, PromotionStatus.RUNNING)
    # The reset goes to where the first one asked for the lock, or to where it heard of the grant,
    # which Temporal gives the run that comes of it once more.
    again = await reset(system, first, activity="environment.request_lock", later=later)
    await until(again, PromotionStatus.QUEUED)
    while id_of(first) not in {
        one.promotion_id for one in (await lock_of(system, "staging")).queue
    }:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    await until(again, PromotionStatus.QUEUED)
    async with with_agents(system, "staging-t1"):
        assert (await second.result())["status"] == "succeeded"
        assert (await again.result())["status"] == "succeeded"
    assert system.running_version("staging", "t1") == "version 1.0.0\n"
