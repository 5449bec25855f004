"""The gates that a template's checking steps ask once more, right before the work they guard."""

from __future__ import annotations

from engine.model.environment import Environment, Gate
from engine.model.template import Node

_GATE_OF_NODE = {"security-check": "security", "approval": "approval"}


def gates_of(node: Node, environment: Environment) -> tuple[Gate, ...]:
    """The gates that a node asks; empty for a node that asks none.

    A node with inputs asks one gate of its own, called after the node. Without inputs it asks the
    environment's gates of its kind. A security check in an environment without a security gate
    then still refuses critical findings, but does not insist on a report.
    """
    gate_type = _GATE_OF_NODE.get(node.type)
    if gate_type is None:
        return ()
    if node.inputs:
        return (Gate(type=gate_type, name=node.id, config=node.inputs),)
    configured = tuple(gate for gate in environment.gates if gate.type == gate_type)
    if not configured and gate_type == "security":
        return (Gate(type=gate_type, name=node.id, config={"require_report": False}),)
    return configured
