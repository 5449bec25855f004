from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from engine.gates.approval import DEADLINE
from engine.model.environment import Gate, Overriders
from engine.model.freeze import Closure, OnClose
from engine.model.obstacle import Explanation, ObstacleKind
from engine.model.promotion import PromotionState, PromotionStatus, StepState
from engine.model.verdict import GateOutcome, GateResult, GateState
from engine.policy.explanation import explain
from tests.gates.builders import NOON, promotion

LATER = NOON + timedelta(hours=3)
OVERRIDABLE = Gate(
    type="freeze_window", name="calm", override=Overriders(groups=("leads",), users=("dora",))
)


def state(status: object = PromotionStatus.BLOCKED, **more: object) -> PromotionState:
    return PromotionState.model_validate(
        {
            "promotion_id": promotion().promotion_id,
            "status": status,
            "release": "web@1.0.0",
            "environment": "production",
            "tenant": "default",
            "requested_by": "alice",
            "requested_at": NOON,
            **more,
        }
    )


def waits(name: str, type: str, **more: object) -> GateState:
    return GateState.model_validate(
        {"name": name, "type": type, "waiting_for": f"{name} waits", **more}
    )


def told(*gates: GateState, configured: tuple[Gate, ...] = (), **more: object) -> Explanation:
    environment = promotion(gates=configured).environment
    return explain(state(**{"gates": gates, **more}), environment)


def test_what_goes_on_by_itself_goes_on_when_the_last_of_it_does() -> None:
    soak = waits("soak", "previous_environment", until=NOON + timedelta(hours=1))
    freeze = waits("calm", "freeze_window", until=LATER, attributes={"freeze_window.id": "1"})
    found = told(soak, freeze)
    assert [each.kind for each in found.obstacles] == [ObstacleKind.TIME, ObstacleKind.FREEZE]
    assert found.earliest == LATER
    assert found.summary == "blocked: waits for soak waits; calm waits"


@pytest.mark.parametrize(
    ("gate", "kind"),
    [
        (waits("leads", "approval", until=NOON, who=("bob",)), ObstacleKind.APPROVAL),
        (waits("cab", "http", until=NOON, callback_token="secret"), ObstacleKind.ANSWER),
    ],
)
def test_what_somebody_has_to_say_is_no_matter_of_time(gate: GateState, kind: ObstacleKind) -> None:
    found = told(gate, waits("soak", "previous_environment", until=LATER))
    first = found.obstacles[0]
    assert (first.kind, first.until, first.deadline) == (kind, None, NOON)
    assert found.earliest is None
    assert "secret" not in found.model_dump_json()


def test_a_gate_that_waits_for_the_others_delays_nothing_itself() -> None:
    soak = waits("soak", "previous_environment", until=LATER)
    rules = waits("rules", "policy", until=LATER + timedelta(days=1))
    found = told(soak, waits("calm", "freeze_window"), rules)
    assert [each.kind for each in found.obstacles[1:]] == [ObstacleKind.GATES, ObstacleKind.GATES]
    assert found.earliest == LATER


def test_who_may_pass_over_a_gate_is_told_with_the_command() -> None:
    freeze = waits("calm", "freeze_window", until=LATER, attributes={"freeze_window.id": "1"})
    (action,) = told(freeze, configured=(OVERRIDABLE,)).obstacles[0].actions
    assert action.who == ("bob", "carol", "dora")
    assert action.command.endswith("--gate calm --reason REASON")
    assert told(freeze).obstacles[0].actions == ()


def test_a_signed_approval_has_a_key_in_its_command_and_the_deadline_is_not_the_reminder() -> None:
    gate = waits(
        "leads",
        "approval",
        until=NOON,
        who=("bob",),
        attributes={DEADLINE: LATER.isoformat()},
    )
    signed = Gate(type="approval", name="leads", config={"users": ["bob"], "signed": True})
    (found,) = told(gate, configured=(signed,)).obstacles
    assert found.deadline == LATER
    assert found.actions[0].command.endswith(" --key FILE")


@pytest.mark.parametrize(
    ("step", "kind", "command"),
    [
        (
            StepState(node_id="ok", type="approval", status="waiting", acts="approve", until=LATER),
            ObstacleKind.APPROVAL,
            "promote approve {id}",
        ),
        (
            StepState(node_id="look", type="wait", status="waiting", acts="advance", until=LATER),
            ObstacleKind.STEP,
            "promote advance {id} --node look",
        ),
        (
            StepState(node_id="migrate", type="command", status="halted", acts="retry"),
            ObstacleKind.STEP,
            "promote retry {id} --node migrate",
        ),
    ],
)
def test_a_step_that_somebody_has_to_act_on_is_told_with_the_command(
    step: StepState, kind: ObstacleKind, command: str
) -> None:
    found = explain(state(PromotionStatus.RUNNING, steps=(step,)))
    (obstacle,) = found.obstacles
    assert (obstacle.kind, obstacle.until, obstacle.deadline) == (kind, None, step.until)
    (action,) = obstacle.actions
    assert action.command == command.format(id=found.promotion_id)
    assert found.earliest is None


def test_a_step_that_waits_for_a_time_goes_on_by_itself() -> None:
    step = StepState(node_id="pause", type="wait", status="waiting", until=LATER)
    found = explain(state(PromotionStatus.BLOCKED, steps=(step,)))
    assert (found.earliest, found.obstacles[0].actions) == (LATER, ())


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_freeze_that_pauses_it_is_told_with_who_can_end_it(*, by_hand: bool) -> None:
    closure = Closure(
        gate="calm", reason="the line is stopped", on_close=OnClose.PAUSE, by_hand=by_hand
    )
    found = told(configured=(OVERRIDABLE,), status=PromotionStatus.PAUSED, pauses=(closure,))
    (obstacle,) = found.obstacles
    assert obstacle.kind is ObstacleKind.FREEZE
    commands = [action.command.split()[1] for action in obstacle.actions]
    assert commands == (["freeze", "override"] if by_hand else ["override"])


def test_work_that_nothing_hinders_is_told_as_such() -> None:
    found = explain(state(PromotionStatus.RUNNING, progress="deploy: batch 1 of 2"))
    assert (found.summary, found.obstacles) == ("running: deploy: batch 1 of 2", ())


def test_a_denial_names_every_gate_that_is_against_it_and_nobody_who_waits() -> None:
    def ended(name: str, outcome: GateOutcome) -> GateState:
        result = GateResult(
            name=name,
            type="policy",
            outcome=outcome,
            reason=f"{name} said so",
            started_at=NOON,
            ended_at=NOON,
        )
        return GateState(name=name, type="policy", result=result)

    gates = (
        ended("a", GateOutcome.FAILED),
        ended("b", GateOutcome.PASSED),
        ended("c", GateOutcome.FAILED),
    )
    found = explain(state(PromotionStatus.DENIED, gates=gates))
    assert found.ending is not None
    assert found.ending.gates == ("a", "c")
    assert found.summary == "denied: gate a: a said so; gate c: c said so"
    assert found.obstacles == ()


def test_a_superseded_one_names_the_one_that_took_its_place() -> None:
    by = uuid4()
    found = explain(state(PromotionStatus.SUPERSEDED, superseded_by=by))
    assert found.ending is not None
    assert found.ending.superseded_by == by
    assert [each.command for each in found.ending.actions] == [f"promote explain {by}"]
