"""The workflow `promotion.request` as any Temporal client meets it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError, CancelledError

from engine.model.promotion import PromotionResult, PromotionState, PromotionStatus
from engine.model.verdict import Decision, GateOutcome
from tests.harness.system import System, running_system, trivy_report, with_agents

GATES = (
    "[{type: security, config: {max_critical: 0}}, "
    "{type: approval, config: {required: 2, groups: [managers]}}]"
)
APPROVAL_STEP = """\
    template:
      name: two-eyes
      nodes:
        - {id: ask, type: approval, inputs: {required: 1, users: [dora]}}
        - {id: deploy, type: deploy, needs: [ask]}
"""
IMPATIENT_STEP = """\
    template:
      name: impatient
      nodes:
        - {id: ask, type: approval, inputs: {required: 1, users: [dora]}, timeout: 1s}
"""


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        await running.apply(
            "groups: {managers: [alice, bob, carol]}\nenvironments:\n"
            + running.environment_yaml("staging", targets=1)
            + running.environment_yaml("production", targets=1, gates=GATES)
            + running.environment_yaml("asking", targets=1, more=APPROVAL_STEP)
            + running.environment_yaml("impatient", targets=1, more=IMPATIENT_STEP)
        )
        yield running


async def refusal(system: System, *args: Any) -> ApplicationError:
    """The error with which the workflow fails when it is started with these arguments."""
    handle = await system.client.start_workflow(
        "promotion.request", args=args, id=f"promotion/{uuid4()}", task_queue="promotions"
    )
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.non_retryable
    return caught.value.cause


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], "the input of promotion.request: must be a JSON object"),
        (["web@1.0.0"], "the input of promotion.request: must be a JSON object"),
        ([{"environment": "staging", "requested_by": "alice"}], "release: field required"),
        ([{"release": "a@1", "environment": 7, "requested_by": "alice"}], "environment: "),
        (
            [{"release": "a@1", "environment": "s", "requested_by": "alice", "force": True}],
            "force: ",
        ),
    ],
)
async def test_wrong_input_fails_the_workflow_at_once_and_names_the_field(
    system: System, given: list[Any], named: str
) -> None:
    error = await refusal(system, *given)
    assert error.type == "InputError"
    assert named in error.message


async def test_what_is_not_registered_is_named_with_the_remedy(system: System) -> None:
    release = await system.release("1.0.0")
    asked = {"tenant": system.tenant, "requested_by": "alice"}
    no_release = await refusal(system, {**asked, "release": "web@9", "environment": "staging"})
    assert no_release.type == "NotFoundError"
    assert "web@9" in no_release.message
    assert "promote release register" in no_release.message
    no_environment = await refusal(system, {**asked, "release": release, "environment": "moon"})
    assert "moon" in no_environment.message
    assert "staging" in no_environment.message


async def test_a_wrong_vote_is_answered_with_the_reason_and_leaves_no_event(
    system: System,
) -> None:
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    before = len((await handle.fetch_history()).events)
    for given, reason in [
        ({"user": "alice"}, "separation of duties"),
        ({"user": "mallory"}, "may not vote"),
        ({"usr": "bob"}, "user: field required"),
        ("bob", "must be a JSON object"),
    ]:
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update("approve", given)
        assert reason in str(caught.value.cause)
    assert len((await handle.fetch_history()).events) == before
    await handle.terminate()


async def test_two_of_three_approve(system: System) -> None:
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    state = PromotionState.model_validate(
        await handle.execute_update("approve", {"user": "bob", "comment": "good"})
    )
    assert state.status is PromotionStatus.AWAITING_APPROVAL
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update("approve", {"user": "bob"})
    assert "voted already" in str(caught.value.cause)
    async with with_agents(system, "production-t1"):
        await handle.execute_update("approve", {"user": "carol"})
        result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    assert system.running_version("production", "t1") == "version 1.0.0\n"
    stored = await system.store.promotions.get(result.promotion_id)
    assert [vote.user for vote in stored.votes] == ["bob", "carol"]
    assert stored.status is PromotionStatus.SUCCEEDED


async def test_a_rejection_ends_it(system: System) -> None:
    handle = await system.start(await system.release("1.0.0"), "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    await handle.execute_update("reject", {"user": "bob", "comment": "on holiday"})
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.REJECTED
    assert result.decision is Decision.DENY
    (gate,) = [gate for gate in result.gates if gate.type == "approval"]
    assert gate.rejected_by == "bob"
    assert "on holiday" in gate.reason


async def test_a_denial_tells_all_that_stands_against_it_and_waits_for_nobody(
    system: System,
) -> None:
    release = await system.release("1.0.0", trivy_report(critical=1))
    handle = await system.start(release, "production")
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.DENIED
    assert [gate.outcome for gate in result.gates] == [GateOutcome.FAILED, GateOutcome.SKIPPED]


async def test_a_gate_that_breaks_denies_and_says_so(system: System) -> None:
    release = await system.release("1.0.0", b'{"SchemaVersion": 2, "Results": 7}')
    handle = await system.start(release, "production")
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.DENIED
    broken = result.gates[0]
    assert broken.error is not None
    assert broken.error.type == "GateError"
    assert broken.reason.startswith("the gate broke: ")


async def test_a_vote_during_the_run_reaches_the_step_that_waits_for_it(system: System) -> None:
    handle = await system.start(await system.release("1.0.0"), "asking")
    state = await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    assert "dora" in state.waiting_for
    async with with_agents(system, "asking-t1"):
        await handle.execute_update("approve", {"user": "dora"})
        result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED


async def test_a_step_that_takes_too_long_fails(system: System) -> None:
    handle = await system.start(await system.release("1.0.0"), "impatient")
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    result = PromotionResult.model_validate(caught.value.cause.details[0])
    assert result.status is PromotionStatus.FAILED
    assert result.failure is not None
    assert result.failure.type == "StepTimeoutError"
    assert result.evidence is not None


async def test_temporals_own_cancel_ends_a_deployment_and_leaves_evidence(
    system: System,
) -> None:
    # No agent runs, so the deployment waits for one when it is cancelled.
    handle = await system.start(await system.release("1.0.0"), "staging")
    await system.until_status(handle.id, PromotionStatus.RUNNING)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    promotion = await system.promotions.state(handle.id)
    assert promotion.status is PromotionStatus.CANCELLED
    evidence = await system.store.evidence.get(promotion.promotion_id)
    assert evidence.envelope


async def test_what_has_ended_takes_no_command(system: System) -> None:
    release = await system.release("1.0.0", trivy_report(critical=1))
    handle = await system.start(release, "production")
    await handle.result()
    with pytest.raises(Exception, match="already completed"):
        await handle.execute_update("approve", {"user": "bob"})
