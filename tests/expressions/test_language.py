from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.errors import InputError
from engine.expressions.language import MAX_LENGTH, Kind, Scope, compiled
from engine.expressions.messages import gate_values, promotion_values
from engine.model.base import Json
from engine.model.verdict import GateOutcome, GateResult
from tests.gates.builders import NOON, component, promotion

RESULT = GateResult(
    name="scan",
    type="security",
    outcome=GateOutcome.PASSED,
    reason="clean",
    attributes={"vulnerabilities.high": 3},
    started_at=NOON,
    ended_at=NOON,
)
GATE = {
    **promotion_values(promotion(components=[component("web"), component("api")])),
    "gates": gate_values([RESULT]),
    "now": datetime(2026, 3, 6, 16, 30, tzinfo=UTC),
}
NODE = {
    **promotion_values(promotion()),
    "params": {"replicas": 3},
    "nodes": {"deploy": {"status": "succeeded", "outputs": {"url": "http://web"}}},
    "now": NOON,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("release.components.exists(c, c.name == 'api')", True),
        ("release.ref", "web@1.0.0"),
        ("now.getHours('Europe/Berlin') < 17", False),
        ("now.getDayOfWeek() == 5", True),
        ("now - promotion.requested_at", "361800s"),
        ("gates['scan'].outcome == 'passed'", True),
        ("gates['scan'].attributes['vulnerabilities.high'] <= 5", True),
        ("'other' in gates", False),
        ("promotion.requested_at + duration('1h')", "2026-03-02T13:00:00+00:00"),
    ],
)
def test_gates_speak_of_the_promotion_the_gates_and_the_time(text: str, value: Json) -> None:
    assert compiled(text, Scope.GATE).evaluate(GATE) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("params.replicas + 1", 4),
        ("nodes.deploy.outputs.url + '/healthz'", "http://web/healthz"),
        ("nodes['deploy'].status", "succeeded"),
        ("{'a': [1, 2.5, null, true]}", {"a": [1, 2.5, None, True]}),
        ("math.greatest(1, params.replicas)", 3),
        ("'a,b'.split(',')", ["a", "b"]),
        ("nodes.?gone.?outputs.orValue({})", {}),
    ],
)
def test_nodes_speak_of_parameters_and_outputs(text: str, value: Json) -> None:
    assert compiled(text, Scope.NODE).evaluate(NODE) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("release.verzion == '1'", "line 1, column 8: undefined field 'verzion'"),
        ("true &&\n  release.name > 3", "line 2, column 16: found no matching overload"),
        ("1 +", "line 1, column 4: Syntax error"),
        ("params.x", "line 1, column 7: undeclared reference to 'params"),
        ("release.name", "comes to string, where true or false is needed"),
        ("x" * (MAX_LENGTH + 1), f"has {MAX_LENGTH + 1} characters"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_before_anything_runs(text: str, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        compiled(text, Scope.GATE, Kind.BOOL, "gates.late.when")
    assert raised.value.field == "gates.late.when"
    assert raised.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nodes.gone.outputs.url", "Key not found"),
        ("1 / (params.replicas - 3)", "divide by zero"),
        ("params.replicas + 'x'", "No matching overloads"),
    ],
)
def test_what_comes_to_nothing_is_an_input_error(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        compiled(text, Scope.NODE).evaluate(NODE)
