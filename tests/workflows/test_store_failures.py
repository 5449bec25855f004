"""How promotions end when a part of the engine itself breaks, and what is on record then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from engine.gates.security import SecurityGate
from engine.model import identity
from engine.model.agent_task import TaskStatus
from engine.model.execution import StepStatus
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.model.verdict import Defer
from engine.store.executions import ExecutionRepository
from engine.store.promotions import PromotionRepository
from tests.harness.system import System, running_system, with_agents
from tests.workflows.faults import Handle, id_of, refuse, spans_of, statuses, stored

GATES = "[{type: security}, {type: approval, config: {required: 1, users: [bob]}}]"
HURRIED = """\
    template:
      name: hurried
      nodes:
        - {id: deploy, type: deploy, timeout: 2s}
    strategy: {type: rolling, batch_size: 1}
"""
PARALLEL = """\
    template:
      name: parallel
      nodes:
        - {id: strict, type: security-check, inputs: {max_low: 0}, on_failure: continue}
        - {id: ask, type: approval, inputs: {required: 1, users: [dora]}}
        - {id: broken, type: deploy}
        - {id: after, type: deploy, needs: [ask]}
"""
FAILED = WorkflowExecutionStatus.FAILED


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("staging", targets=2)
            + running.environment_yaml("production", targets=1, gates=GATES)
            + running.environment_yaml("hurried", targets=2, more=HURRIED)
            + running.environment_yaml("parallel", targets=1, more=PARALLEL)
        )
        yield running


async def failed(handle: Handle) -> PromotionResult:
    """The result that the failed workflow carries."""
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "PromotionFailed"
    return PromotionResult.model_validate(caught.value.cause.details[0])


async def root_of(system: System, handle: Handle) -> dict[str, object]:
    """The attributes of the root span of a trace that is closed and marked as an error."""
    root = (await spans_of(system, handle))[0]
    assert root.failure is not None
    return dict(root.attributes)


async def test_a_gate_result_that_cannot_be_stored_errors_the_promotion(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, PromotionRepository, "record_gate")
    handle = await system.start(await system.release("1.0.0"), "production")
    assert (await failed(handle)).status is PromotionStatus.ERRORED
    assert (await stored(system, handle)).status is PromotionStatus.ERRORED
    assert (await root_of(system, handle))["promotion.decision"] == "deny"
    [gates] = [s for s in await spans_of(system, handle) if s.name == "promotion.evaluate_gates"]
    assert gates.attributes["promotion.decision"] == "deny"


@pytest.mark.parametrize("final", [False, True])
async def test_a_status_that_cannot_be_stored_errors_the_promotion(
    system: System, monkeypatch: pytest.MonkeyPatch, final: bool
) -> None:
    refuse(
        monkeypatch,
        PromotionRepository,
        "record_status",
        lambda _, status, *__, **___: (
            status.is_final if final else status is PromotionStatus.PENDING
        ),
    )
    handle = await system.start(await system.release("1.0.0"), "staging")
    async with with_agents(system, "staging-t1", "staging-t2"):
        result = await failed(handle)
    assert result.status is PromotionStatus.ERRORED
    assert result.failure is not None
    assert result.failure.type == "SchemaVersionError"
    assert (await root_of(system, handle))["promotion.status"] == "errored"


async def test_evidence_that_cannot_be_signed_does_not_hide_the_first_failure(
    system: System,
) -> None:
    handle = await system.start(await system.release("1.0.0"), "hurried")
    await system.until_status(handle.id, PromotionStatus.RUNNING)
    system.settings.effective_signing_key.write_text("garbage")
    result = await failed(handle)
    assert result.failure is not None
    assert result.failure.type == "StepTimeoutError"
    assert (await stored(system, handle)).status is PromotionStatus.FAILED


async def test_a_gate_that_defers_to_the_past_is_not_asked_without_a_pause(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def defers(self: Any, context: Any, read: Any) -> Defer:
        nonlocal asked
        asked += 1
        return Defer(reason="soon", until=context.now - timedelta(seconds=1))

    monkeypatch.setattr(SecurityGate, "evaluate", defers)
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    before = asked
    await asyncio.sleep(2)
    await handle.terminate()
    assert 1 <= asked - before <= 4


async def test_a_deployment_that_takes_too_long_is_cancelled_and_what_never_began_is_skipped(
    system: System,
) -> None:
    handle = await system.start(await system.release("1.0.0"), "hurried")
    assert (await failed(handle)).status is PromotionStatus.FAILED
    assert await statuses(system, "deployment_jobs") == ["cancelled"]
    assert await statuses(system, "workflow_runs") == ["failed"]
    assert await statuses(system, "step_runs") == ["failed"]
    assert await spans_of(system, handle)
    job = identity.job_id(id_of(handle), "deploy")
    tasks = {
        (task.target, task.type.value): task.status
        for task in await system.store.executions.tasks(job)
    }
    assert len(tasks) == 6
    assert tasks.pop(("t1", "pull")) is TaskStatus.CANCELLED
    assert set(tasks.values()) == {TaskStatus.SKIPPED}


async def test_a_step_that_fails_beside_others_ends_them_all(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, ExecutionRepository, "assign_tasks")
    handle = await system.start(await system.release("1.0.0"), "parallel")
    await failed(handle)
    assert await statuses(system, "step_runs") == ["cancelled", "failed", "failed", "skipped"]
    assert await spans_of(system, handle)


async def test_a_step_that_cannot_be_stored_ends_the_run_with_all_that_is_known(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(
        monkeypatch,
        ExecutionRepository,
        "record_step",
        lambda _, result: result.node_id == "security-check",
    )
    handle = await system.start(await system.release("1.0.0"), "staging")
    result = await failed(handle)
    assert result.status is PromotionStatus.ERRORED
    assert result.failure is not None
    assert "lacks what this version needs" in result.failure.message
    assert await statuses(system, "workflow_runs") == ["failed"]
    row = await system.store.evidence.get(id_of(handle))
    assert b'"nodeId":"security-check"' in row.statement
    assert await spans_of(system, handle)


@pytest.mark.parametrize("method", ["record_run", "record_job"])
async def test_an_end_that_cannot_be_stored_does_not_lose_what_was_done(
    system: System, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    refuse(
        monkeypatch,
        ExecutionRepository,
        method,
        lambda *args: any(arg == StepStatus.SUCCEEDED for arg in args),
    )
    handle = await system.start(await system.release("1.0.0"), "staging")
    async with with_agents(system, "staging-t1", "staging-t2"):
        result = await failed(handle)
    assert result.failure is not None
    statement = (await system.store.evidence.get(id_of(handle))).statement
    assert statement.count(b'"type":"health_check"') == 2
    assert b'"nodeId":"deploy"' in statement
