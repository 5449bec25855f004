from __future__ import annotations

from engine.gates.steps import gates_of
from engine.model.environment import Gate
from engine.model.template import Node
from tests.gates.builders import promotion

SECURITY = Gate(type="security", name="scan", config={"max_high": 3})
PEOPLE = Gate(type="approval", name="people", config={"users": ["bob"]})
GUARDED = promotion(gates=[SECURITY, PEOPLE]).environment
OPEN = promotion().environment


def test_a_node_without_inputs_asks_the_environments_gates_of_its_kind() -> None:
    assert gates_of(Node(id="check", type="security-check"), GUARDED) == (SECURITY,)
    assert gates_of(Node(id="people", type="approval"), GUARDED) == (PEOPLE,)


def test_a_node_with_inputs_asks_a_gate_of_its_own() -> None:
    node = Node(id="check", type="security-check", inputs={"max_high": 0})
    assert gates_of(node, GUARDED) == (Gate(type="security", name="check", config={"max_high": 0}),)


def test_without_a_security_gate_critical_findings_are_refused_but_no_report_is_demanded() -> None:
    node = Node(id="check", type="security-check")
    expected = Gate(type="security", name="check", config={"require_report": False})
    assert gates_of(node, OPEN) == (expected,)


def test_without_an_approval_gate_there_is_nothing_to_ask() -> None:
    assert gates_of(Node(id="people", type="approval"), OPEN) == ()


def test_a_node_that_does_work_asks_nothing() -> None:
    assert gates_of(Node(id="deploy", type="deploy"), GUARDED) == ()
