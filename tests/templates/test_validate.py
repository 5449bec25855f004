from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.model.base import Json
from engine.model.template import MAX_NODES, Node, OnFailure, Template
from engine.templates.validate import check
from tests.templates.builders import dags


def _node(
    id: str, *needs: str, type: str = "deploy", inputs: Mapping[str, Json] | None = None
) -> Node:
    return Node(id=id, type=type, needs=needs, inputs=dict(inputs or {}))


def _refused(*nodes: Node, groups: Mapping[str, tuple[str, ...]] | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        check(Template(name="t", nodes=nodes), groups)
    return caught.value


@settings(deadline=None)
@given(dags())
def test_every_acyclic_template_of_known_nodes_is_valid(template: Template) -> None:
    check(template)


def test_a_doubled_id_is_named() -> None:
    error = _refused(_node("a"), _node("b"), _node("a"))
    assert (error.field, error.problem) == ("template.t.nodes.a.id", "2 nodes have the id 'a'")


def test_an_unknown_type_is_named_with_the_known_ones() -> None:
    error = _refused(_node("a", type="deplyo"))
    assert error.field == "template.t.nodes.a.type"
    assert error.problem == "no node type is called 'deplyo'"
    assert error.remedy.startswith("did you mean 'deploy'? known types: approval, command, ")


def test_an_unknown_need_is_named_with_the_nodes_that_there_are() -> None:
    error = _refused(_node("a"), _node("b", "a", "c"))
    assert (error.field, error.problem, error.remedy) == (
        "template.t.nodes.b.needs.1",
        "no node is called 'c'",
        "nodes: a, b",
    )


@pytest.mark.parametrize(
    ("nodes", "cycles"),
    [
        ([_node("a", "a")], ["a needs a"]),
        ([_node("a", "b"), _node("b", "a")], ["a needs b needs a"]),
        (
            [_node("x"), _node("a", "x", "b"), _node("b", "c"), _node("c", "a"), _node("d", "c")],
            ["a needs b needs c needs a"],
        ),
        (
            [_node("a", "b"), _node("b", "a"), _node("c", "d"), _node("d", "c")],
            ["a needs b needs a", "c needs d needs c"],
        ),
    ],
)
def test_every_cycle_is_printed(nodes: list[Node], cycles: list[str]) -> None:
    error = _refused(*nodes)
    for cycle in cycles:
        ring = cycle.split(" needs ")[:-1]
        turned = [ring[begin:] + ring[:begin] for begin in range(len(ring))]
        printed = [" needs ".join([*each, each[0]]) for each in turned]
        assert any(f"a cycle: {each}" in str(error) for each in printed)
    assert str(error).count("a cycle: ") == len(cycles)


@settings(deadline=None)
@given(dags(), st.data())
def test_a_cycle_is_found_wherever_it_is_closed(template: Template, data: st.DataObject) -> None:
    needed: dict[str, set[str]] = {node.id: set(node.needs) for node in template.nodes}

    def above(node_id: str) -> set[str]:
        return needed[node_id].union(*(above(need) for need in needed[node_id]))

    last = data.draw(st.sampled_from(template.nodes))
    first = data.draw(st.sampled_from(sorted({last.id} | above(last.id))))
    closed = tuple(
        node.model_copy(update={"needs": (*node.needs, last.id)}) if node.id == first else node
        for node in template.nodes
    )
    error = _refused(*closed)
    printed = str(error).split("a cycle: ")[1].split(";")[0].split(" (")[0].split(" needs ")
    needs = {node.id: node.needs for node in closed}
    assert printed[0] == printed[-1]
    assert all(need in needs[node] for node, need in pairwise(printed))


@pytest.mark.parametrize("timeout", [timedelta(0), timedelta(seconds=-1)])
def test_a_timeout_that_leaves_no_time_is_refused(timeout: timedelta) -> None:
    error = _refused(Node(id="a", type="deploy", timeout=timeout))
    assert error.field == "template.t.nodes.a.timeout"


def test_waiting_for_a_retry_of_what_does_not_matter_is_refused() -> None:
    halting = Node(id="a", type="deploy", halt=timedelta(hours=1))
    check(Template(name="t", nodes=(halting,)))
    error = _refused(halting.model_copy(update={"on_failure": OnFailure.CONTINUE}))
    assert error.field == "template.t.nodes.a.halt"


@pytest.mark.parametrize(
    ("node_type", "inputs", "path"),
    [
        ("deploy", {"stratgy": {}}, "stratgy"),
        ("deploy", {"strategy": {"type": "rolling", "batch_size": 0}}, "strategy.batch_size"),
        ("deploy", {"strategy": {"type": "rolling", "batch_size": "0%"}}, "strategy.batch_size"),
        ("deploy", {"strategy": {"type": "canary"}}, "strategy"),
        ("security-check", {"max_critical": "none"}, "max_critical"),
        ("approval", {"users": ["bob"], "timeout": "soon"}, "timeout"),
    ],
)
def test_an_input_is_named_by_its_path(
    node_type: str, inputs: Mapping[str, Json], path: str
) -> None:
    error = _refused(_node("a", type=node_type, inputs=inputs))
    assert error.field == f"template.t.nodes.a.inputs.{path}"


def test_an_approval_step_is_held_against_the_groups_where_they_are_known() -> None:
    signoff = _node("signoff", type="approval", inputs={"groups": ["leads"]})
    check(Template(name="t", nodes=(signoff,)))
    check(Template(name="t", nodes=(signoff,)), {"leads": ("bob",)})
    error = _refused(signoff, groups={"ops": ("dave",)})
    assert error.field == "template.t.nodes.signoff.inputs.groups"
    assert error.remedy == "known groups: ops"


def test_all_problems_are_told_in_one_error() -> None:
    error = _refused(
        _node("a", "b"),
        _node("b", "a"),
        _node("c", "nowhere"),
        _node("c", type="teleport"),
        _node("d", inputs={"strategy": 7, "speed": 9}),
        Node(id="e", type="deploy", timeout=timedelta(0)),
    )
    assert error.field == "template.t"
    assert error.problem.startswith("7 problems: (1) ")
    for part in ("nodes.c.id", "'nowhere'", "'teleport'", "d.inputs.strategy", "d.inputs.speed"):
        assert part in error.problem
    for part in ("e.timeout", "a cycle: "):
        assert part in error.problem


def test_a_long_chain_is_checked_without_running_out_of_stack() -> None:
    count = MAX_NODES
    chain = [_node("n0"), *(_node(f"n{at}", f"n{at - 1}") for at in range(1, count))]
    check(Template(name="t", nodes=tuple(chain)))
    closed = [chain[0].model_copy(update={"needs": (f"n{count - 1}",)}), *chain[1:]]
    assert "a cycle: " in str(_refused(*closed))
