"""Why a promotion is not further, told from its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import TypeAdapter

from engine.gates.approval import DEADLINE
from engine.model.base import Timestamp
from engine.model.environment import Environment, Gate
from engine.model.execution import ExecutionResult, StepStatus
from engine.model.freeze import Closure
from engine.model.obstacle import (
    Action,
    Ending,
    Explanation,
    GateAccount,
    Obstacle,
    ObstacleKind,
)
from engine.model.promotion import PromotionState, PromotionStatus, StepState
from engine.model.verdict import GateOutcome, GateState

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Timestamp)
_AT_A_STEP = (StepStatus.WAITING, StepStatus.HALTED)
_FREEZE = "freeze_window"
_READS_RESULTS = "policy"


def explain(
    state: PromotionState,
    environment: Environment | None = None,
    execution: ExecutionResult | None = None,
) -> Explanation:
    """What a promotion's own state tells. Who may override a gate is told with `environment` only.

    Args:
        execution: the end of its template's run, which tells the step and the target that failed.
    """
    ending = _ending(state, execution) if state.status.is_final else None
    obstacles = () if ending is not None else tuple(_obstacles(state, environment))
    bare = Explanation(
        promotion_id=state.promotion_id,
        release=state.release,
        environment=state.environment,
        tenant=state.tenant,
        status=state.status,
        decision=state.decision,
        summary="",
        gates=tuple(_account(gate) for gate in state.gates),
        ending=ending,
    )
    if ending is not None:
        return bare.model_copy(update={"summary": f"{state.status.value}: {ending.reason}"})
    return hindered(bare, obstacles, state.progress)


def hindered(bare: Explanation, obstacles: Iterable[Obstacle], progress: str = "") -> Explanation:
    """An explanation with all that is in the way, and what follows from it."""
    found = tuple(obstacles)
    if found:
        summary = f"{bare.status.value}: waits for {_joined(each.text for each in found)}"
    else:
        summary = bare.status.value + (f": {progress}" if progress else ": at work")
    return bare.model_copy(
        update={"summary": summary, "obstacles": found, "earliest": _earliest(found)}
    )


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _earliest(obstacles: Iterable[Obstacle]) -> datetime | None:
    """The latest of the moments, if each thing in the way has one."""
    own = [each for each in obstacles if each.kind is not ObstacleKind.GATES]
    moments = [each.until for each in own if each.until is not None]
    return max(moments) if moments and len(moments) == len(own) else None


def _account(gate: GateState) -> GateAccount:
    if gate.result is not None:
        outcome, reason = gate.result.outcome.value, gate.result.reason
    else:
        outcome = "waiting" if gate.waiting_for else "evaluating"
        reason = gate.waiting_for
    return GateAccount(name=gate.name, type=gate.type, outcome=outcome, reason=reason)


def _obstacles(state: PromotionState, environment: Environment | None) -> Iterator[Obstacle]:
    gates = {} if environment is None else {gate.name: gate for gate in environment.gates}
    for gate in state.gates:
        if gate.result is None and gate.waiting_for:
            yield _at_gate(state, gate, gates.get(gate.name), environment)
    for step in state.steps:
        if step.status in _AT_A_STEP:
            yield _at_step(state, step)
    for closure in state.pauses:
        yield _at_freeze(state, closure, gates.get(closure.gate), environment)


def _at_gate(
    state: PromotionState, gate: GateState, configured: Gate | None, environment: Environment | None
) -> Obstacle:
    deadline = gate.attributes.get(DEADLINE)
    actions: list[Action] = []
    kind, until, ends = ObstacleKind.TIME, gate.until, None
    if gate.who:
        kind, until = ObstacleKind.APPROVAL, None
        ends = _MOMENT.validate_python(deadline) if deadline is not None else gate.until
        signed = configured is not None and bool(configured.config.get("signed"))
        actions += votes(state, gate.who, signed=signed)
    elif gate.callback_token:
        kind, until, ends = ObstacleKind.ANSWER, None, gate.until
    elif gate.type == _FREEZE:
        # Without a time it looks again when the other gates have decided, or when it is lifted.
        waits = any(other.result is None and other.name != gate.name for other in state.gates)
        is_frozen = gate.until is not None or not waits or bool(gate.attributes)
        kind = ObstacleKind.FREEZE if is_frozen else ObstacleKind.GATES
    elif gate.until is None:
        kind = ObstacleKind.GATES
    elif gate.type == _READS_RESULTS and not gate.attributes:
        # It has judged nothing yet, since gates that it names have not decided.
        kind, until, ends = ObstacleKind.GATES, None, gate.until
    if configured is not None and environment is not None:
        actions += _overrides(state, configured, environment)
    return Obstacle(
        kind=kind,
        where=f"gate {gate.name}",
        text=gate.waiting_for,
        until=until,
        deadline=ends,
        who=gate.who,
        actions=tuple(actions),
    )


def votes(state: PromotionState, who: tuple[str, ...], *, signed: bool = False) -> list[Action]:
    """What those whose approval is waited for can do."""
    key = " --key FILE" if signed else ""
    ref = state.promotion_id
    return [
        Action(what="approve it", command=f"promote approve {ref}{key}", who=who),
        Action(what="reject it", command=f"promote reject {ref}{key}", who=who),
    ]


def _overrides(state: PromotionState, gate: Gate, environment: Environment) -> list[Action]:
    people = set() if gate.override is None else gate.override.people(environment.groups)
    if not people:
        return []
    command = f"promote override {state.promotion_id} --gate {gate.name} --reason REASON"
    return [Action(what="pass over the gate", command=command, who=tuple(sorted(people)))]


_ACTS = {
    "approve": "approve it",
    "advance": "let it go on",
    "retry": "try it again",
}


def _at_step(state: PromotionState, step: StepState) -> Obstacle:
    node = "" if step.acts == "approve" else f" --node {step.node_id}"
    action = Action(
        what=_ACTS.get(step.acts, step.acts),
        command=f"promote {step.acts} {state.promotion_id}{node}",
        who=step.who,
    )
    kind = ObstacleKind.APPROVAL if step.acts == "approve" else ObstacleKind.STEP
    return Obstacle(
        kind=kind,
        where=f"step {step.node_id}",
        text=step.detail,
        # A step that somebody has to act on gives up at that time; others go on.
        until=None if step.acts else step.until,
        deadline=step.until if step.acts else None,
        who=step.who,
        actions=(action,) if step.acts else (),
    )


def _at_freeze(
    state: PromotionState, closure: Closure, gate: Gate | None, environment: Environment | None
) -> Obstacle:
    actions: list[Action] = []
    if closure.by_hand:
        about = f"--environment {state.environment} --tenant {state.tenant}"
        listed = f"promote freeze list {about}"
        actions.append(Action(what="find the freeze, and lift it", command=listed))
    if gate is not None and environment is not None:
        actions += _overrides(state, gate, environment)
    return Obstacle(
        kind=ObstacleKind.FREEZE,
        where=f"gate {closure.gate}",
        text=closure.reason,
        until=closure.until,
        actions=tuple(actions),
    )


def _ending(state: PromotionState, execution: ExecutionResult | None) -> Ending:
    match state.status:
        case PromotionStatus.DENIED | PromotionStatus.REJECTED:
            return _denied(state)
        case PromotionStatus.FAILED | PromotionStatus.ERRORED:
            return _failed(state, execution)
        case PromotionStatus.SUPERSEDED:
            by = state.superseded_by
            reason = state.progress or f"superseded by promotion {by}"
            see = Action(what="see what took its place", command=f"promote explain {by}")
            return Ending(reason=reason, superseded_by=by, actions=(see,))
        case PromotionStatus.CANCELLED:
            return Ending(reason=state.progress or "cancelled")
        case _:
            return Ending(reason=f"{state.release} is in {state.environment}")


def _denied(state: PromotionState) -> Ending:
    results = [gate.result for gate in state.gates if gate.result is not None]
    against = [result for result in results if result.outcome is GateOutcome.FAILED]
    rejected = next((each.rejected_by for each in against if each.rejected_by), None)
    reason = "; ".join(f"gate {each.name}: {each.reason}" for each in against)
    return Ending(
        reason=reason or "the gates denied it",
        gates=tuple(each.name for each in against),
        by=rejected or "",
    )


def _failed(state: PromotionState, execution: ExecutionResult | None) -> Ending:
    told = "its work broke" if state.failure is None else state.failure.message
    failed = next((step.node_id for step in state.steps if step.status == StepStatus.FAILED), "")
    deployments = () if execution is None else execution.deployments
    target = next(
        (
            task.target
            for deployment in deployments
            for task in deployment.tasks
            if task.failure is not None
        ),
        "",
    )
    command = f"promote retry {state.promotion_id}"
    again = Action(what="try it again, without the steps that succeeded", command=command)
    return Ending(reason=told, step=failed, target=target, actions=(again,) if failed else ())
