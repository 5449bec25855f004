"""Freezes that begin while promotions are under way, on the real system."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle

from engine.client.waits import WaitKind
from engine.errors import InputError
from engine.model.freeze import Freeze
from engine.model.identity import tenant_id
from engine.model.promotion import PromotionResult, PromotionState, PromotionStatus
from engine.model.verdict import GateOutcome
from engine.worker import running_worker
from tests.harness.system import (
    PATIENCE,
    System,
    prepared_system,
    running_system,
    with_agents,
)

GROUPS = "groups: {leads: [lena], managers: [bob]}\nenvironments:\n"
FREEZE_GATE = "{type: freeze_window, override: {groups: [leads]}}"
CLOSURE = {"gate": "none", "reason": "said by somebody else", "on_close": "pause"}
ROLLING = "    strategy: {type: rolling, batch_size: 1}\n"


@pytest.fixture
async def prepared(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with prepared_system(tmp_path, temporal_address, monkeypatch) as system:
        yield system


@pytest.fixture(scope="module")
async def system(
    tmp_path_factory: pytest.TempPathFactory, temporal_address: str
) -> AsyncIterator[System]:
    """A worker without agents, and an environment for each of the tests."""
    asks = "{type: approval, config: {required: 1, groups: [managers]}}"
    aborts = "{type: freeze_window, config: {on_close: abort}}"
    finishes = "{type: freeze_window, config: {on_close: finish}}"
    with pytest.MonkeyPatch.context() as environ:
        home = tmp_path_factory.mktemp("system")
        async with running_system(home, temporal_address, environ) as running:
            await running.apply(
                GROUPS
                + running.environment_yaml("free", targets=1)
                + running.environment_yaml("asks", targets=1, gates=f"[{asks}]")
                + running.environment_yaml("busy", more=ROLLING)
                + running.environment_yaml("aborts", gates=f"[{aborts}]", more=ROLLING)
                + running.environment_yaml("finishes", gates=f"[{finishes}]", more=ROLLING)
                + running.environment_yaml("prod", gates=f"[{FREEZE_GATE}]", more=ROLLING)
                + running.environment_yaml("back", targets=1, gates=f"[{FREEZE_GATE}, {asks}]")
            )
            yield running


async def stop(
    system: System, environment: str | None = None, name: str = "stop", *, line: bool = True
) -> None:
    """Stop the line as `promote freeze stop-the-line` does, or only set a freeze."""
    now = datetime.now(UTC)
    freeze = Freeze(
        id=uuid4(),
        tenant_id=tenant_id(system.tenant),
        name=name,
        environment=environment,
        reason="database on fire",
        stops_the_line=line,
        start=now,
        created_by="lena",
        created_at=now,
    )
    await system.promotions.freezes_changed(await system.store.freezes.add(system.tenant, freeze))


async def lift(system: System, name: str = "stop") -> None:
    """Lift a freeze as `promote freeze lift` does."""
    _, concerned = await system.store.freezes.lift(
        system.tenant, name, user="lena", reason="out", at=datetime.now(UTC)
    )
    await system.promotions.freezes_changed(concerned)


async def ended(handle: WorkflowHandle[Any, Any]) -> PromotionResult:
    return PromotionResult.model_validate(await handle.result())


async def until_timer(system: System, workflow_id: str, length: timedelta) -> None:
    """Wait until a workflow sleeps for so long."""
    handle = system.client.get_workflow_handle(workflow_id)
    for _ in range(int(PATIENCE / 0.1)):
        started = [
            event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            async for event in handle.fetch_history_events()
            if event.HasField("timer_started_event_attributes")
        ]
        if length in started:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{workflow_id} never slept for {length}: {started}")


async def statement(system: System, result: PromotionResult) -> dict[str, Any]:
    """The predicate of a promotion's evidence."""
    assert result.evidence is not None
    stored = await system.store.evidence.statement(result.evidence.id)
    predicate: dict[str, Any] = json.loads(stored)["predicate"]
    return predicate


async def until_batch(system: System, workflow_id: str, progress: str) -> PromotionState:
    for _ in range(int(PATIENCE / 0.05)):
        state = await system.until_status(workflow_id, PromotionStatus.RUNNING)
        if progress in state.progress:
            return state
        await asyncio.sleep(0.05)
    raise AssertionError(f"never came to {progress}: {state.progress}")


async def test_a_stopped_line_pauses_a_rolling_deployment_over_a_restart_of_the_worker(
    prepared: System,
) -> None:
    system = prepared
    await system.apply(
        GROUPS + system.environment_yaml("prod", targets=3, gates=f"[{FREEZE_GATE}]", more=ROLLING)
    )
    release = await system.release("1.0.0")
    async with running_worker(system.settings):
        handle = await system.start(release, "prod")
        await until_batch(system, handle.id, "batch 1 of 3")
        await stop(system, "prod")
        async with with_agents(system, "prod-t1", "prod-t2", "prod-t3"):
            paused = await system.until_status(handle.id, PromotionStatus.PAUSED)
            assert system.running_version("prod", "t1") == "version 1.0.0\n"
    assert "the line is stopped, by lena: database on fire" in paused.waiting_for
    assert [pause.gate for pause in paused.pauses] == ["freeze_window"]

    async with (
        running_worker(system.settings),
        with_agents(system, "prod-t1", "prod-t2", "prod-t3"),
    ):
        still = await system.until_status(handle.id, PromotionStatus.PAUSED)
        assert still.pauses == paused.pauses
        with pytest.raises(FileNotFoundError):
            system.running_version("prod", "t2")

        denied = await system.start(release, "prod")
        refused = await ended(denied)
        assert refused.status is PromotionStatus.DENIED
        assert refused.gates[0].reason == (
            "the line is stopped, by lena: database on fire; ask again when it is lifted"
        )

        # Should word of the lifting be lost, it looks again after this long.
        await until_timer(system, f"{handle.id}/deployment/deploy", timedelta(minutes=1))
        await lift(system)
        result = await ended(handle)
    assert result.status is PromotionStatus.SUCCEEDED
    assert system.running_version("prod", "t3") == "version 1.0.0\n"


async def test_where_no_gate_looks_for_freezes_a_stopped_line_holds_all_the_same(
    system: System,
) -> None:
    release = await system.release("1.0.0")
    async with with_agents(system, "free-t1", "asks-t1"):
        before = await system.start(release, "asks")
        await system.until_status(before.id, PromotionStatus.AWAITING_APPROVAL)
        await stop(system)
        denied = await ended(await system.start(release, "free"))
        assert denied.status is PromotionStatus.DENIED
        assert [(gate.name, gate.outcome) for gate in denied.gates] == [
            ("stop-the-line", GateOutcome.FAILED)
        ]
        await system.promotions.approve(before.id, "bob")
        blocked = await system.until_status(before.id, PromotionStatus.BLOCKED)
        assert blocked.waiting_for.startswith("the line is stopped, by lena")
        with pytest.raises(InputError, match="nobody may override 'stop-the-line'"):
            await system.promotions.override(before.id, "bob", "I want it", "stop-the-line")

        await lift(system)
        result = await ended(before)
        assert result.status is PromotionStatus.SUCCEEDED
        assert [gate.outcome for gate in result.gates] == [GateOutcome.PASSED, GateOutcome.PASSED]
        unfrozen = await ended(await system.start(release, "free"))
    assert unfrozen.gates == ()


async def test_a_paused_promotion_can_be_cancelled_and_the_next_waits_before_it_begins(
    system: System,
) -> None:
    first = await system.start(await system.release("1.0.3"), "busy")
    await until_batch(system, first.id, "batch 1 of 2")
    second = await system.start(await system.release("1.0.4"), "busy")
    await system.until_status(second.id, PromotionStatus.QUEUED)
    word = {"node_id": "deploy", "workflow_id": "elsewhere", "closure": CLOSURE}
    await second.signal("deployment_paused", word)
    await stop(system, "busy", "stop-busy")
    async with with_agents(system, "busy-t1", "busy-t2"):
        await system.until_status(first.id, PromotionStatus.PAUSED)
        await system.promotions.cancel(first.id, "alice")
        assert (await ended(first)).status is PromotionStatus.CANCELLED
        paused = await system.until_status(second.id, PromotionStatus.PAUSED)
        assert [pause.gate for pause in paused.pauses] == ["stop-the-line"]
        assert {step.status for step in paused.steps} == {"pending"}
        (wait,) = await system.promotions.waits(second.id)
        assert wait.kind is WaitKind.TIME
        assert wait.text == "the line is stopped, by lena: database on fire"
        await lift(system, "stop-busy")
        assert (await ended(second)).status is PromotionStatus.SUCCEEDED
    assert system.running_version("busy", "t2") == "version 1.0.4\n"


async def test_a_freeze_ends_a_deployment_or_lets_it_finish_as_the_gate_says(
    system: System,
) -> None:
    release = await system.release("1.0.1")
    aborting = await system.start(release, "aborts")
    finishing = await system.start(release, "finishes")
    for handle, environment in ((aborting, "aborts"), (finishing, "finishes")):
        await until_batch(system, handle.id, "batch 1 of 2")
        await stop(system, environment, f"audit-{environment}", line=False)
    async with with_agents(system, "aborts-t1", "finishes-t1", "finishes-t2"):
        aborted = await system.promotions.result(aborting.id, timedelta(seconds=PATIENCE))
        finished = await ended(finishing)
    assert aborted.status is PromotionStatus.FAILED
    assert aborted.failure is not None
    assert aborted.failure.type == "FrozenError"
    assert "freeze 'audit-aborts' is in force, by lena: database" in aborted.failure.message
    assert "stopped before batch 2" in aborted.failure.message
    assert system.running_version("aborts", "t1") == "version 1.0.1\n"
    with pytest.raises(FileNotFoundError):
        system.running_version("aborts", "t2")
    assert finished.status is PromotionStatus.SUCCEEDED
    assert system.running_version("finishes", "t2") == "version 1.0.1\n"


async def test_who_may_override_a_freeze_does_so_at_any_time_and_it_goes_on_record(
    system: System,
) -> None:
    release = await system.release("1.0.2")
    await stop(system, "prod", "first")
    request = {"requested_by": "lena", "overrides": {"freeze_window": "hotfix"}}
    handle = await system.start(release, "prod", **request)
    await until_batch(system, handle.id, "batch 1 of 2")
    await stop(system, "prod", "second")
    async with with_agents(system, "prod-t1", "prod-t2"):
        paused = await system.until_status(handle.id, PromotionStatus.PAUSED)
        assert len(paused.pauses) == 1
        for user, gate, problem in (
            ("bob", "freeze_window", "'bob' may not override the gate 'freeze_window'; lena may"),
            ("lena", "approval", "no gate is called 'approval'; gates: freeze_window"),
        ):
            with pytest.raises(InputError, match=problem):
                await system.promotions.override(handle.id, user, "why not", gate)
        await handle.execute_update("override_freeze", {"user": "lena", "reason": "the fix"})
        result = await ended(handle)
    assert result.status is PromotionStatus.SUCCEEDED
    (overridden,) = result.gates
    assert overridden.outcome is GateOutcome.OVERRIDDEN
    assert overridden.overridden is not None
    assert (overridden.overridden.user, overridden.overridden.reason) == ("lena", "the fix")
    assert overridden.attributes["freeze_window.name"] == "first"
    recorded = (await statement(system, result))["gates"]
    assert "the fix" in json.dumps(recorded)
    assert "lena" in json.dumps(recorded)

    with pytest.raises(WorkflowFailureError) as refused:
        await (await system.start(release, "prod", overrides={"freeze_window": "me too"})).result()
    assert "overrides.freeze_window: 'alice' may not override" in str(refused.value.cause)


async def test_a_rollback_passes_freezes_and_approvals_and_nothing_else_passes_for_one(
    system: System,
) -> None:
    old, new = await system.release("1.1.0"), await system.release("1.2.0")
    async with with_agents(system, "back-t1"):
        for release in (old, new):
            handle = await system.start(release, "back")
            await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
            await system.promotions.approve(handle.id, "bob")
            assert (await ended(handle)).status is PromotionStatus.SUCCEEDED
        await stop(system, "back", "stop-back")
        result = await ended(await system.start(old, "back", rollback=True))
    assert result.status is PromotionStatus.SUCCEEDED
    assert [gate.outcome for gate in result.gates] == [GateOutcome.SKIPPED, GateOutcome.SKIPPED]
    assert system.running_version("back", "t1") == "version 1.1.0\n"
    for release in (old, new):
        with pytest.raises(WorkflowFailureError) as refused:
            await (await system.start(release, "back", rollback=True)).result()
        assert str(refused.value.cause).startswith(f"InputError: rollback: {release} is none that")
