from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.model.template import Node, Parameter, Template
from engine.templates.library import Library
from engine.templates.plan import Condition, Source, plan

INNER = Template(
    name="inner",
    nodes=(
        Node(id="a", type="deploy", when="release.version != ''"),
        Node(id="b", type="deploy", needs=("a",)),
    ),
)
OUTER = Template(
    name="outer",
    parameters={"x": Parameter(default="d"), "y": Parameter(), "z": Parameter(), "w": Parameter()},
    nodes=(
        Node(id="last", type="deploy", needs=("in", "alone")),
        Node(id="in", type="include", when="promotion.reason != ''", inputs={"template": "inner"}),
        Node(id="alone", type="approval"),
    ),
)


def test_nodes_stand_in_waves_as_early_as_they_can_run() -> None:
    waves = plan(OUTER, Library([INNER])).waves
    assert [[node.id for node in wave] for wave in waves] == [["in.a", "alone"], ["in.b"], ["last"]]


def test_what_is_conditional_is_told_with_whose_condition_it_is() -> None:
    ((first, alone), _, _) = plan(OUTER, Library([INNER])).waves
    assert first.conditions == (
        Condition(when="promotion.reason != ''", include="in"),
        Condition(when="release.version != ''"),
    )
    assert alone.conditions == ()


def test_each_parameter_has_the_value_that_counts_and_where_it_comes_from() -> None:
    parameters = plan(OUTER, Library([INNER]), {"y": "e", "z": "e"}, {"z": "r"}).parameters
    assert [(each.name, each.value, each.source) for each in parameters] == [
        ("x", "d", Source.DEFAULT),
        ("y", "e", Source.ENVIRONMENT),
        ("z", "r", Source.REQUEST),
        ("w", None, Source.NOWHERE),
    ]


def test_a_value_that_fits_no_parameter_is_refused() -> None:
    with pytest.raises(InputError, match=r"parameters\.v: the template 'outer' has no parameter"):
        plan(OUTER, Library([INNER]), {}, {"v": 1})
