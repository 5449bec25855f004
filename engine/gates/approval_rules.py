"""The approvals of one promotion: those of its gates, and those of its template's steps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.errors import GateError
from engine.expressions.interpolation import has_expressions
from engine.gates.approval import DEADLINE, ApprovalGate
from engine.gates.configuration import applied
from engine.gates.electorate import Electorate
from engine.gates.steps import gates_of
from engine.model.environment import Gate
from engine.model.execution import StepStatus
from engine.model.gate_config import ApprovalConfig
from engine.model.promotion import PromotionSnapshot, StepState
from engine.model.template import Node
from engine.model.verdict import GateState

_ENDED = {
    StepStatus.SUCCEEDED: "has had its approvals already",
    StepStatus.FAILED: "has ended without its approvals",
    StepStatus.SKIPPED: "was skipped",
    StepStatus.CANCELLED: "was cancelled",
}


@dataclass(frozen=True)
class Rule:
    """One approval.

    Attributes:
        name: the gate's name, or the step's id.
        config: None where it is known only when the step starts, which then judges the votes.
        closed: why it takes no votes any more, in a clause without its subject; empty while it
            does or will.
    """

    name: str
    config: ApprovalConfig | None
    closed: str = ""

    def electorate(self, promotion: PromotionSnapshot) -> Electorate | None:
        """Its people; None where they are not known yet."""
        return None if self.config is None else Electorate(self.config, promotion)


def rules_of(
    promotion: PromotionSnapshot,
    gates: Sequence[GateState],
    steps: Mapping[str, StepState],
    now: datetime,
) -> tuple[Rule, ...]:
    """All approvals of a promotion as they stand at `now`.

    Never raises: what cannot be read wants no vote.

    Args:
        gates: where the environment's gates stand; one that is not among them was not asked yet.
        steps: where the template's steps stand, by node id.
    """
    environment = promotion.environment
    nodes = [node for node in environment.template.nodes if node.type == ApprovalGate.type]
    asks_again = any(not node.inputs and not _ended(steps.get(node.id)) for node in nodes)
    states = {state.name: state for state in gates}
    found: list[Rule] = []
    for gate in environment.gates:
        if gate.type == ApprovalGate.type:
            closed = "" if asks_again else _closed(states.get(gate.name), now)
            found += _rule(gate, closed)
    for node in nodes:
        if node.inputs:
            found += _step(node, promotion, _ended(steps.get(node.id)))
    return tuple(found)


def _step(node: Node, promotion: PromotionSnapshot, closed: str) -> Iterator[Rule]:
    if has_expressions(json.dumps(node.inputs)):
        yield Rule(node.id, None, closed)
        return
    for gate in gates_of(node, promotion.environment):
        yield from _rule(gate, closed)


def _rule(gate: Gate, closed: str) -> Iterator[Rule]:
    try:
        yield Rule(gate.name, applied(gate, ApprovalConfig), closed)
    except GateError:
        return


def _ended(step: StepState | None) -> str:
    return "" if step is None else _ENDED.get(StepStatus(step.status), "")


def _closed(state: GateState | None, now: datetime) -> str:
    if state is None:
        return ""
    if state.result is not None:
        return f"has ended: {state.result.reason}"
    deadline = state.attributes.get(DEADLINE)
    if isinstance(deadline, str) and now > datetime.fromisoformat(deadline):
        return f"expired at {datetime.fromisoformat(deadline):%Y-%m-%d %H:%M:%S}Z"
    return ""
