from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

import engine.client.state as state_module
from engine.client.workers import NoWorkerError
from engine.errors import (
    InputError,
    NotFoundError,
    PromotionEngineError,
    UnreachableError,
    WaitTimeoutError,
)
from engine.model.promotion import PromotionStatus
from engine.model.verdict import Decision, GateOutcome
from tests.client.requests import request
from tests.harness.system import System, running_system, trivy_report, with_agents

PATIENCE = timedelta(seconds=60)


@pytest.fixture(scope="module")
async def release(system: System) -> str:
    return await system.release("1.0.0")


async def test_the_result_of_a_success(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "free"))
    result = await system.promotions.result(started.promotion_id, PATIENCE)
    state = await system.promotions.state(started.promotion_id)

    assert result.status is PromotionStatus.SUCCEEDED
    assert result.decision is Decision.ALLOW
    assert result.evidence is not None
    assert state.status is PromotionStatus.SUCCEEDED
    assert state.evidence == result.evidence
    assert [step.status for step in state.steps] == ["succeeded"] * len(state.steps)
    assert state.steps
    assert system.running_version("free", "t1") == "version 1.0.0\n"


async def test_the_result_of_a_failure_is_a_result(system: System) -> None:
    lost = await system.release("1.0.1", lost=True)
    started = await system.promotions.start(request(system, lost, "free"))
    result = await system.promotions.result(started.promotion_id, PATIENCE)
    state = await system.promotions.state(started.promotion_id)

    assert result.status is PromotionStatus.FAILED
    assert result.failure is not None
    assert state.failure == result.failure
    assert state.status is PromotionStatus.FAILED


async def test_the_result_of_a_denial(system: System) -> None:
    release = await system.release("1.0.2", trivy_report(critical=1))
    started = await system.promotions.start(request(system, release, "scanned"))
    result = await system.promotions.result(started.promotion_id, PATIENCE)

    assert result.status is PromotionStatus.DENIED
    assert [gate.outcome for gate in result.gates] == [GateOutcome.FAILED]
    assert result.failure is None


async def test_a_refused_request_is_told_by_all(system: System) -> None:
    handle = await system.start("web@9.9.9", "free")
    promotion_id = handle.id.removeprefix("promotion/")

    for ask in (system.promotions.result, system.promotions.state):
        with pytest.raises(NotFoundError, match=r"web@9\.9\.9") as caught:
            await ask(promotion_id)
        assert caught.value.field == "release"


async def test_waiting_for_a_result_has_an_end(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "gated"))

    with pytest.raises(WaitTimeoutError, match=str(started.promotion_id)):
        await system.promotions.result(started.promotion_id, timedelta(seconds=0.5))


async def test_a_terminated_promotion_says_so(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "gated"))
    handle = system.client.get_workflow_handle(f"promotion/{started.promotion_id}")
    await handle.terminate(reason="the disk was full")

    with pytest.raises(PromotionEngineError, match="terminated: the disk was full"):
        await system.promotions.result(started.promotion_id, PATIENCE)
    state = await system.promotions.state(started.promotion_id)
    assert state.status is PromotionStatus.ERRORED
    assert state.failure is not None
    assert "the disk was full" in state.failure.message
    assert (state.release, state.environment) == (release, "gated")


async def test_a_promotion_that_ran_out_of_time_says_so(system: System, release: str) -> None:
    handle = await system.client.start_workflow(
        "promotion.request",
        request(system, release, "gated").model_dump(mode="json"),
        id=f"promotion/{uuid4()}",
        task_queue="promotions",
        execution_timeout=timedelta(seconds=2),
    )

    with pytest.raises(PromotionEngineError, match="time limit"):
        await system.promotions.result(handle.id, PATIENCE)


async def test_a_promotion_cancelled_in_temporals_own_way(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "gated"))
    await system.client.get_workflow_handle(f"promotion/{started.promotion_id}").cancel()
    result = await system.promotions.result(started.promotion_id, PATIENCE)
    state = await system.promotions.state(started.promotion_id)

    assert result.status is state.status is PromotionStatus.CANCELLED
    assert (result.release, result.environment, result.tenant) == (
        release,
        "gated",
        system.tenant,
    )
    assert result.trace_id == started.trace_id
    assert state.evidence is not None


async def test_what_does_not_exist_is_not_found(system: System) -> None:
    for ask in (system.promotions.result, system.promotions.state):
        with pytest.raises(NotFoundError, match="promote list"):
            await ask(uuid4())


async def test_a_workflow_of_another_type_is_no_promotion(system: System, release: str) -> None:
    started = await system.promotions.start(request(system, release, "free"))
    await system.promotions.result(started.promotion_id, PATIENCE)

    with pytest.raises(NotFoundError, match=r"is a workflow\.execute"):
        await system.promotions.state(f"promotion/{started.promotion_id}/workflow")


@pytest.mark.parametrize("named", [True, False], ids=["any id", "bare uuid"])
async def test_a_foreign_clients_promotion_is_found(
    system: System, release: str, named: bool
) -> None:
    workflow_id = f"ci-job-{uuid4().hex}" if named else str(uuid4())
    handle = await system.client.start_workflow(
        "promotion.request",
        request(system, release, "free").model_dump(mode="json"),
        id=workflow_id,
        task_queue="promotions",
    )
    await handle.result()
    by_workflow = await system.promotions.state(workflow_id)

    async def by_promotion() -> str | None:
        try:
            return await system.promotions.workflow_id(by_workflow.promotion_id)
        except NotFoundError:
            return None

    # The search attributes are indexed a moment later than they are set.
    for _ in range(600):
        if await by_promotion() == workflow_id:
            break
    assert await by_promotion() == workflow_id
    assert (str(by_workflow.promotion_id) == workflow_id) is not named
    assert await system.promotions.promotion_id(workflow_id) == by_workflow.promotion_id


async def test_a_namespace_that_does_not_exist_is_told(system: System) -> None:
    config = system.client.config()
    config["namespace"] = "nowhere"
    lost = type(system.promotions)(type(system.client)(**config))

    with pytest.raises(InputError, match="TEMPORAL_NAMESPACE"):
        await lost.state(uuid4())


async def test_without_a_worker_only_the_closed_can_be_read(
    tmp_path: Path, fresh_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "_ANSWER_WITHIN", timedelta(seconds=2))
    target = fresh_server.client.service_client.config.target_host
    async with running_system(tmp_path, target, monkeypatch) as system:
        await system.apply(
            "groups: {managers: [bob]}\nenvironments:\n"
            + system.environment_yaml("free", targets=1)
            + system.environment_yaml(
                "gated",
                targets=1,
                gates="[{type: approval, config: {required: 1, groups: [managers]}}]",
            )
        )
        release = await system.release("1.0.0")
        async with with_agents(system, "free-t1"):
            ended = await system.promotions.start(request(system, release, "free"))
            result = await system.promotions.result(ended.promotion_id, PATIENCE)
        waiting = await system.promotions.start(request(system, release, "gated"))
        promotions = system.promotions

    state = await promotions.state(ended.promotion_id)
    assert state.status is PromotionStatus.SUCCEEDED
    assert state.evidence == result.evidence
    with pytest.raises(NoWorkerError) as caught:
        await promotions.state(waiting.promotion_id)
    assert isinstance(caught.value, UnreachableError)
