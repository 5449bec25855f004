"""Templates with conditions, retries, halting, compensation and waiting, on the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError

from engine.errors import ConflictError, InputError
from engine.model.execution import StepStatus
from engine.model.promotion import PromotionResult, PromotionState, PromotionStatus
from engine.projection import project
from tests.harness.system import System, running_system, until

FLOW = """\
    template:
      name: flow
      nodes:
        - id: made
          type: command
          inputs:
            command: [sh, -c, 'echo "{\\"version\\": \\"v7\\", \\"count\\": 3}"']
            outputs: json
        - id: never
          type: command
          needs: [made]
          when: nodes.made.outputs.count > 5
          inputs: {command: ["false"]}
        - id: used
          type: command
          needs: [never]
          inputs:
            command: [sh, -c, 'printf "{\\"said\\": \\"%s\\"}" "$SAID"']
            env: {SAID: "${{ nodes.made.outputs.version }} of ${{ release.name }}"}
            outputs: json
        - id: flaky
          type: command
          retry: {attempts: 3, interval: 100ms}
          inputs:
            command:
              - sh
              - -c
              - 'echo "$IDEMPOTENCY_KEY" >> {home}/seen; test $PROMOTION_STEP_ATTEMPT -ge 3'
        - id: tolerated
          type: command
          on_failure: continue
          inputs: {command: [sh, -c, "echo broken >&2; exit 4"]}
        - id: last
          type: command
          needs: [used, flaky, tolerated]
          inputs: {command: ["true"]}
"""
BACK = """\
    template:
      name: back
      nodes:
        - id: first
          type: command
          inputs: {command: [sh, -c, 'echo "{\\"id\\": 42}"'], outputs: json}
          on_rollback:
            type: command
            inputs:
              command: [sh, -c, "echo undo first ${{ nodes.first.outputs.id }} >> {home}/undone"]
        - id: second
          type: command
          needs: [first]
          inputs: {command: ["true"]}
          on_rollback: {type: command, inputs: {command: [sh, -c, "echo cannot >&2; exit 1"]}}
        - id: third
          type: command
          needs: [second]
          inputs: {command: ["true"]}
          on_rollback:
            type: command
            inputs: {command: [sh, -c, "echo undo third >> {home}/undone"]}
        - id: breaks
          type: command
          needs: [third]
          on_failure: rollback
          inputs: {command: [sh, -c, "echo no room left >&2; exit 9"]}
          on_rollback:
            type: command
            inputs: {command: [sh, -c, "echo undo breaks >> {home}/undone"]}
        - {id: after, type: command, needs: [breaks], inputs: {command: ["true"]}}
"""
HALTING = """\
    template:
      name: halting
      nodes:
        - {id: before, type: command, inputs: {command: [sh, -c, "echo once >> {home}/before"]}}
        - id: careful
          type: command
          needs: [before]
          halt: 10m
          inputs: {command: [sh, -c, "test -e {home}/repaired"]}
        - {id: after, type: command, needs: [careful], inputs: {command: ["true"]}}
"""
WAITING = """\
    template:
      name: waiting
      nodes:
        - {id: pause, type: wait, inputs: {duration: 200ms}}
        - {id: gone, type: wait, inputs: {until: "2020-01-01T00:00:00Z"}}
        - id: look
          type: wait
          needs: [pause, gone]
          inputs: {advance: {groups: [managers]}, reason: look at the dashboards}
        - {id: impatient, type: wait, timeout: 300ms, on_failure: continue, inputs: {advance: true}}
"""

ENDING = """\
    template:
      name: ending
      nodes:
        - {id: fails, type: command, inputs: {command: [sh, -c, "sleep 1; exit 1"]}}
        - {id: works, type: command, inputs: {command: [sh, -c, "sleep 3; echo >> {home}/whole"]}}
        - {id: waits, type: wait, inputs: {duration: 10m}}
        - id: again
          type: command
          retry: {attempts: 9, interval: 5m}
          inputs: {command: ["false"]}
"""
LONG = """\
    template:
      name: long
      nodes:
        - id: long
          type: command
          inputs:
            command: [sh, -c, "touch {home}/begun; sleep 600; touch {home}/ended"]
            timeout: 50m
"""


@pytest.fixture
async def system(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(tmp_path, temporal_address, monkeypatch) as running:
        templates = {
            "flow": FLOW,
            "back": BACK,
            "halting": HALTING,
            "resumed": HALTING.replace("          halt: 10m\n", ""),
            "waiting": WAITING,
            "ending": ENDING,
            "long": LONG,
        }
        await running.apply(
            "groups: {managers: [bob]}\nenvironments:\n"
            + "".join(
                running.environment_yaml(
                    name, targets=1, more=template.replace("{home}", str(tmp_path))
                )
                for name, template in templates.items()
            )
        )
        yield running


async def ended(system: System, environment: str) -> PromotionState:
    """The state of a promotion after its end, whatever that is."""
    release = await system.release("1.0.0")
    handle = await system.start(release, environment)
    with suppress(WorkflowFailureError):
        await handle.result()
    return await system.promotions.state(handle.id)


def statuses(state: PromotionState) -> dict[str, str]:
    return {step.node_id: step.status for step in state.steps if step.compensates is None}


async def test_conditions_outputs_retries_and_tolerated_failures(
    system: System, tmp_path: Path
) -> None:
    state = await ended(system, "flow")
    assert state.status is PromotionStatus.SUCCEEDED, state.failure
    assert statuses(state) == {
        "made": "succeeded",
        "never": "skipped",
        "used": "succeeded",
        "flaky": "succeeded",
        "tolerated": "failed",
        "last": "succeeded",
    }
    steps = {step.node_id: step for step in state.steps}
    assert steps["made"].outputs == {"version": "v7", "count": 3}
    assert steps["used"].outputs == {"said": "v7 of web"}
    assert steps["tolerated"].outputs == {"exit_code": 4}
    assert steps["tolerated"].detail == "sh ended with exit code 4: broken"
    assert steps["flaky"].attempt == 3
    keys = (tmp_path / "seen").read_text().split()
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_what_had_succeeded_is_taken_back_in_reverse_order(
    system: System, tmp_path: Path
) -> None:
    state = await ended(system, "back")
    assert state.status is PromotionStatus.FAILED
    assert state.failure is not None
    assert state.failure.message == (
        "step breaks: sh ended with exit code 9: no room left; taken back: third, first; "
        "not taken back: second (sh ended with exit code 1: cannot)"
    )
    assert (tmp_path / "undone").read_text() == "undo third\nundo first 42\n"
    back = [(step.node_id, step.status) for step in state.steps if step.compensates is not None]
    assert back == [("third", "succeeded"), ("second", "failed"), ("first", "succeeded")]
    assert statuses(state)["after"] == "skipped"


async def test_a_halted_step_is_tried_again_without_those_before_it(
    system: System, tmp_path: Path
) -> None:
    release = await system.release("1.0.0")
    handle = await system.start(release, "halting")
    state = await system.until_status(handle.id, PromotionStatus.HALTED)
    assert statuses(state) == {"before": "succeeded", "careful": "halted", "after": "pending"}
    assert "promote retry" in state.waiting_for
    for given, problem in (
        ({}, "user"),
        ({"user": "alice", "node": "nobody"}, "no node is called 'nobody'"),
        ({"user": "alice", "node": "before"}, "'before' is succeeded"),
    ):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update("retry", given)
        assert problem in str(refused.value.cause)
    # It fails once more, and waits once more.
    again = PromotionState.model_validate(
        await handle.execute_update("retry", {"user": "alice", "node": "careful"})
    )
    assert {step.node_id: step.attempt for step in again.steps}["careful"] == 2
    await system.until_status(handle.id, PromotionStatus.HALTED)
    (tmp_path / "repaired").touch()
    await system.promotions.retry(handle.id, "alice", "careful")
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    final = await system.promotions.state(handle.id)
    assert {step.node_id: step.attempt for step in final.steps}["careful"] == 3
    assert (tmp_path / "before").read_text() == "once\n"
    with pytest.raises(Exception, match="already completed"):
        await handle.execute_update("retry", {"user": "alice"})


async def test_a_halted_promotion_can_be_cancelled(system: System) -> None:
    release = await system.release("1.0.0")
    handle = await system.start(release, "halting")
    await system.until_status(handle.id, PromotionStatus.HALTED)
    await handle.execute_update("cancel", {"user": "alice"})
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.CANCELLED
    state = await system.promotions.state(handle.id)
    assert statuses(state) == {"before": "succeeded", "careful": "failed", "after": "skipped"}


async def test_waiting_for_times_and_for_people(system: System) -> None:
    release = await system.release("1.0.0")
    handle = await system.start(release, "waiting")
    state = await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    while statuses(state)["look"] != StepStatus.WAITING:
        state = await system.promotions.state(handle.id)
    assert "look at the dashboards; waits for bob to let it go on" in state.waiting_for
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("advance", {"user": "eve", "node": "look"})
    assert "'eve' may not advance it; may: bob" in str(refused.value.cause)
    await system.promotions.advance(handle.id, "bob", reason="all green")
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    state = await system.promotions.state(handle.id)
    steps = {step.node_id: step for step in state.steps}
    assert steps["look"].outputs == {"ended_by": "bob"}
    assert steps["look"].detail == "let go on by bob: all green"
    assert steps["pause"].outputs == steps["gone"].outputs == {"ended_by": "time"}
    assert steps["impatient"].status == "failed"
    assert "did not end within" in steps["impatient"].detail


async def test_a_failed_promotion_is_tried_again_by_another_that_takes_over_what_was_done(
    system: System, tmp_path: Path
) -> None:
    release = await system.release("1.0.0")
    failed = await system.start(release, "resumed")
    with pytest.raises(WorkflowFailureError):
        await failed.result()
    first = failed.id.removeprefix("promotion/")
    with pytest.raises(InputError, match=r"retry\.node: no node is called 'nobody'; nodes: before"):
        await system.promotions.retry(first, "carol", "nobody")
    (tmp_path / "repaired").touch()
    state = await system.promotions.retry(first, "carol", "careful", "disk replaced")
    assert str(state.promotion_id) != first
    result = await system.promotions.result(state.promotion_id)
    assert result.status is PromotionStatus.SUCCEEDED, result.failure
    assert result.requested_by == "carol"
    state = await system.promotions.state(state.promotion_id)
    steps = {step.node_id: step for step in state.steps}
    assert steps["before"].detail == f"done by promotion {first}"
    assert steps["before"].outputs == {"exit_code": 0}
    assert steps["careful"].status == steps["after"].status == "succeeded"
    assert (tmp_path / "before").read_text() == "once\n"
    recorded = {
        step.node_id: step for step in await system.store.executions.steps(state.promotion_id)
    }
    assert recorded["before"].taken_over_from == UUID(first)
    assert recorded["careful"].taken_over_from is None
    # What it has done since is not what the first one left behind.
    with pytest.raises(
        ConflictError, match=f"promotion {state.promotion_id} has been in 'resumed'"
    ):
        await system.promotions.retry(first, "carol")
    with pytest.raises(InputError, match="is succeeded"):
        await system.promotions.retry(state.promotion_id, "carol")
    trace = await project(system.client, f"promotion/{state.promotion_id}")
    assert trace.root is not None
    assert [
        link.attributes["promotion.id"]
        for link in trace.root.links
        if link.attributes["promotion.link"] == "retried"
    ] == [first]
    names = {span.attributes.get("step.node_id") for span in trace.spans}
    assert {"careful", "after"} <= names
    assert "before" not in names


async def test_a_promotion_to_an_environment_that_has_changed_is_not_tried_again(
    system: System, tmp_path: Path
) -> None:
    release = await system.release("1.0.0")
    failed = await system.start(release, "resumed")
    with pytest.raises(WorkflowFailureError):
        await failed.result()
    await system.apply("environments:\n" + system.environment_yaml("resumed", targets=2))
    with pytest.raises(ConflictError, match="the template differs"):
        await system.promotions.retry(failed.id, "carol")


async def test_a_failure_lets_work_end_and_cuts_waiting_short(
    system: System, tmp_path: Path
) -> None:
    state = await ended(system, "ending")
    assert state.status is PromotionStatus.FAILED
    assert state.failure is not None
    assert state.failure.message == "step fails: sh ended with exit code 1"
    assert (tmp_path / "whole").exists()
    assert statuses(state) == {
        "fails": "failed",
        "works": "succeeded",
        "waits": "cancelled",
        "again": "failed",
    }
    assert {step.node_id: step.attempt for step in state.steps}["again"] == 1


async def test_a_cancellation_ends_a_program_that_runs(system: System, tmp_path: Path) -> None:
    release = await system.release("1.0.0")
    handle = await system.start(release, "long")
    await until((tmp_path / "begun").exists, "the program runs")
    await handle.execute_update("cancel", {"user": "alice"})
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.CANCELLED
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path / "begun") in " ".join(process.info["cmdline"] or ())
    ]
