from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

import pytest

from engine.errors import InputError
from engine.model.base import Json
from engine.model.execution import StepResult, StepStatus
from engine.model.template import Compensation, Node, Parameter, ParameterType, Template
from engine.templates.include import written_out
from engine.templates.library import Library
from engine.templates.rendering import (
    MAX_INPUT_BYTES,
    Variables,
    holds,
    render_compensation,
    render_inputs,
    variables_of,
)
from tests.gates.builders import NOON, promotion


def ended(node_id: str, status: str = "succeeded", **outputs: Json) -> StepResult:
    return StepResult(
        node_id=node_id,
        type="http",
        run_id=uuid4(),
        status=StepStatus(status),
        outputs=outputs,
        started_at=NOON,
        ended_at=NOON,
    )


def seen(
    template: Template, *steps: StepResult, params: Mapping[str, Json] | None = None
) -> Variables:
    base = promotion()
    environment = base.environment.model_copy(update={"template": template})
    followed = base.model_copy(update={"environment": environment})
    return variables_of(followed, params or {}, steps, NOON)


def node(template: Template, node_id: str) -> Node:
    return next(each for each in template.nodes if each.id == node_id)


def rendered(
    value: Json, params: Mapping[str, Json] | None = None, steps: tuple[StepResult, ...] = ()
) -> Json:
    """What an input of a node `b` comes to, which needs a node `a` and not its neighbour `c`."""
    template = Template(
        name="t",
        nodes=(
            Node(id="a", type="http"),
            Node(id="c", type="http"),
            Node(id="b", type="http", needs=("a",), inputs={"value": value}),
        ),
    )
    variables = seen(template, *steps, params=params)
    return render_inputs(node(template, "b"), variables)["value"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${{ params.count }}", 3),
        ("${{ params.count + 1 }}", 4),
        ("${{ params.ratio }}", 0.5),
        ("${{ params.flag }}", True),
        ("${{ params.nothing }}", None),
        ("${{ params.list }}", ["x", 1]),
        ("${{ params.map }}", {"k": {"l": [True]}}),
        ("at ${{ params.count }}", "at 3"),
        ("${{ params.count }} ", "3 "),
        ("${{ params.count }}${{ params.count }}", "33"),
        ("<${{ params.flag }}|${{ params.nothing }}|${{ params.list }}>", '<true|null|["x", 1]>'),
        ("$${{ params.count }}", "${{ params.count }}"),
        ({"deep": [{"er": "${{ params.count }}"}, 7, None]}, {"deep": [{"er": 3}, 7, None]}),
        ({"${{ key }}": 1}, {"${{ key }}": 1}),
        ("${{ release.ref }} to ${{ environment.name }}", "web@1.0.0 to production"),
        ("${{ nodes.a.outputs.url + '/x' }}", "http://a/x"),
        ("${{ nodes.a.status }}", "succeeded"),
        ("${{ now.getHours() }}", 12),
    ],
)
def test_text_that_is_one_expression_has_its_type_and_other_text_its_words(
    value: Json, expected: Json
) -> None:
    params: dict[str, Json] = {
        "count": 3, "ratio": 0.5, "flag": True, "nothing": None, "list": ["x", 1],
        "map": {"k": {"l": [True]}},
    }  # fmt: skip
    found = rendered(value, params, (ended("a", url="http://a"),))
    assert (found, type(found)) == (expected, type(expected))


def test_what_a_value_holds_is_not_evaluated_again() -> None:
    assert (
        rendered("${{ params.evil }}", {"evil": "${{ params.secret }}"}) == "${{ params.secret }}"
    )
    assert rendered("<${{ params.evil }}>", {"evil": "${{ 1 }}"}) == "<${{ 1 }}>"


@pytest.mark.parametrize(
    ("value", "field", "problem"),
    [
        ({"x": ["${{ params.gone }}"]}, "nodes.b.inputs.value.x[0]", "Key not found"),
        ("${{ nodes.a.outputs.gone }}", "nodes.b.inputs.value", "Key not found"),
        ("${{ 1 / 0 }}", "nodes.b.inputs.value", "divide by zero"),
        ("${{ nodes.c.status }}", "nodes.b.inputs.value", "Key not found"),
    ],
)
def test_what_comes_to_nothing_is_named_by_its_place(value: Json, field: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as raised:
        rendered(value, steps=(ended("a"), ended("c")))
    assert raised.value.field == field
    assert raised.value.remedy


def test_inputs_cannot_grow_without_end() -> None:
    words = "x" * 1024
    assert rendered("${{ params.w }}" * 60, {"w": words}) == words * 60
    with pytest.raises(InputError, match=f"at most {MAX_INPUT_BYTES} are allowed"):
        rendered("${{ params.w }}" * 65, {"w": words})


def test_what_runs_beside_a_node_is_not_seen_whichever_was_faster() -> None:
    early = rendered("${{ size(nodes) }}", steps=(ended("a"), ended("c")))
    late = rendered("${{ size(nodes) }}", steps=(ended("a"),))
    assert early == late == 1


def test_the_latest_result_of_a_node_counts_and_no_compensation() -> None:
    failed, again = ended("a", "failed", n=1), ended("a", n=2)
    back = ended("a", n=3).model_copy(update={"compensates": "a"})
    assert rendered("${{ nodes.a.outputs.n }}", steps=(failed, again, back)) == 2


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ("", True),
        ("params.go", True),
        ("!params.go", False),
        ("nodes.a.status == 'succeeded'", True),
        ("promotion.is_rollback", False),
    ],
)
def test_a_condition_tells_whether_a_node_runs(when: str, runs: bool) -> None:
    template = Template(
        name="t",
        nodes=(Node(id="a", type="http"), Node(id="b", type="http", needs=("a",), when=when)),
    )
    variables = seen(template, ended("a"), params={"go": True})
    assert holds(node(template, "b"), variables) is runs


def test_a_condition_that_comes_to_something_else_is_refused() -> None:
    template = Template(name="t", nodes=(Node(id="a", type="http", when="params.go"),))
    with pytest.raises(InputError, match="true or false") as raised:
        holds(template.nodes[0], seen(template, params={"go": "yes"}))
    assert raised.value.field == "nodes.a.when"


def test_what_takes_a_node_back_sees_what_the_node_put_out() -> None:
    back = Compensation(type="http", inputs={"url": "${{ nodes.a.outputs.url }}"})
    template = Template(name="t", nodes=(Node(id="a", type="http", on_rollback=back),))
    variables = seen(template, ended("a", url="http://undo"))
    assert render_compensation(template.nodes[0], variables) == {"url": "http://undo"}


def included() -> Template:
    inner = Template(
        name="inner",
        parameters={
            "url": Parameter(),
            "wait": Parameter(type=ParameterType.DURATION, default="5s"),
        },
        nodes=(
            Node(id="first", type="http", inputs={"url": "${{ params.url }}"}),
            Node(
                id="second",
                type="http",
                needs=("first",),
                when="nodes.first.status == 'succeeded'",
                inputs={"of": "${{ nodes.first.outputs.id }}", "all": "${{ nodes.map(n, n) }}"},
            ),
        ),
    )
    middle = Template(
        name="middle",
        parameters={"host": Parameter()},
        nodes=(
            Node(
                id="call",
                type="include",
                when="params.host != 'skip'",
                inputs={
                    "template": "inner",
                    "parameters": {"url": "http://${{ params.host }}/${{ release.version }}"},
                },
            ),
        ),
    )
    outer = Template(
        name="outer",
        parameters={"where": Parameter(default="east")},
        nodes=(
            Node(id="ask", type="http"),
            Node(
                id="go",
                type="include",
                needs=("ask",),
                when="nodes.ask.status != 'failed'",
                inputs={
                    "template": "middle",
                    "parameters": {"host": "${{ nodes.ask.outputs.prefix + params.where }}"},
                },
            ),
        ),
    )
    return written_out(outer, Library([inner, middle]))


def test_an_included_node_sees_its_own_templates_parameters_and_nodes() -> None:
    template = included()
    steps = (ended("ask", prefix="x-"), ended("go.call.first", id=7))
    variables = seen(template, *steps, params={"where": "west"})
    first, second = node(template, "go.call.first"), node(template, "go.call.second")
    assert holds(first, variables)
    assert holds(second, variables)
    assert render_inputs(first, variables) == {"url": "http://x-west/1.0.0"}
    assert render_inputs(second, variables) == {"of": 7, "all": ["first"]}


@pytest.mark.parametrize(
    ("status", "where", "runs"),
    [("succeeded", "west", True), ("failed", "west", False), ("succeeded", "skip", False)],
)
def test_the_conditions_of_all_includes_hold_for_a_node(
    status: str, where: str, runs: bool
) -> None:
    template = included()
    variables = seen(template, ended("ask", status, prefix=""), params={"where": where})
    assert holds(node(template, "go.call.first"), variables) is runs


def test_a_parameter_that_an_include_gives_by_an_expression_is_of_its_type() -> None:
    inner = Template(
        name="inner",
        parameters={"count": Parameter(type=ParameterType.INTEGER)},
        nodes=(Node(id="a", type="http", inputs={"n": "${{ params.count }}"}),),
    )
    outer = Template(
        name="outer",
        nodes=(
            Node(
                id="i",
                type="include",
                inputs={"template": "inner", "parameters": {"count": "${{ params.n }}"}},
            ),
        ),
    )
    template = written_out(outer, Library([inner]))
    assert render_inputs(template.nodes[0], seen(template, params={"n": 2})) == {"n": 2}
    with pytest.raises(InputError, match="must be a whole number") as raised:
        render_inputs(template.nodes[0], seen(template, params={"n": "two"}))
    assert raised.value.field == "nodes.i.inputs.parameters.count"


def test_rendering_needs_no_clock() -> None:
    template = Template(
        name="t", nodes=(Node(id="a", type="http", inputs={"t": "${{ now + duration('1h') }}"}),)
    )
    later = variables_of(seen(template).promotion, {}, (), NOON + timedelta(hours=1))
    assert render_inputs(template.nodes[0], later) == {"t": "2026-03-02T14:00:00+00:00"}
