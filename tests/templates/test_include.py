from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.model.base import Json
from engine.model.template import MAX_NODES, Node, Parameter, ParameterType, Template
from engine.templates.graph import upstream
from engine.templates.include import MAX_DEPTH, written_out
from engine.templates.library import Library
from engine.templates.validate import check, problems
from tests.templates.builders import dags


def step(id: str, *needs: str) -> Node:
    return Node(id=id, type="deploy", needs=needs)


def include(id: str, template: str, *needs: str, when: str = "", **parameters: Json) -> Node:
    inputs: dict[str, Json] = {"template": template, "parameters": parameters}
    return Node(id=id, type="include", needs=needs, when=when, inputs=inputs)


def template(name: str, *nodes: Node, version: str = "1") -> Template:
    return Template(name=name, version=version, nodes=nodes)


def edges(template: Template) -> dict[str, tuple[str, ...]]:
    return {node.id: node.needs for node in template.nodes}


DIAMOND = template("diamond", step("a"), step("b", "a"), step("c", "a"))


def test_an_include_is_replaced_by_the_nodes_of_its_template() -> None:
    outer = template(
        "outer",
        step("first"),
        include("in", "diamond", "first"),
        step("last", "in"),
        step("alone"),
    )
    found = written_out(outer, Library([DIAMOND]))
    assert edges(found) == {
        "first": (),
        "in.a": ("first",),
        "in.b": ("in.a",),
        "in.c": ("in.a",),
        "last": ("in.b", "in.c"),
        "alone": (),
    }
    assert (found.name, found.version) == ("outer", "1")


def test_includes_within_includes_and_behind_each_other() -> None:
    twice = template("twice", include("x", "diamond"), include("y", "diamond", "x"))
    outer = template("outer", include("in", "twice"), step("last", "in"))
    found = written_out(outer, Library([DIAMOND, twice]))
    assert edges(found) == {
        "in.x.a": (),
        "in.x.b": ("in.x.a",),
        "in.x.c": ("in.x.a",),
        "in.y.a": ("in.x.b", "in.x.c"),
        "in.y.b": ("in.y.a",),
        "in.y.c": ("in.y.a",),
        "last": ("in.y.b", "in.y.c"),
    }
    assert [each.node for each in found.nodes[0].within] == ["in", "x"]


def test_a_template_without_includes_is_itself() -> None:
    assert written_out(DIAMOND, Library()) == DIAMOND


@settings(deadline=None, max_examples=200)
@given(dags(), dags(6), st.data())
def test_whatever_came_before_an_include_comes_before_all_of_it(
    outer: Template, inner: Template, data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(outer.nodes))
    nodes = [
        include(node.id, "inner", *node.needs) if node.id == chosen.id else node
        for node in outer.nodes
    ]
    found = written_out(
        template("outer", *nodes), Library([inner.model_copy(update={"name": "inner"})])
    )
    inside = {f"{chosen.id}.{node.id}" for node in inner.nodes}
    before = upstream(outer, chosen.id)
    for node_id in inside:
        assert upstream(found, node_id) - inside == before
    for node in outer.nodes:
        if chosen.id in upstream(outer, node.id):
            assert upstream(found, node.id) >= inside


def test_parameters_are_the_given_ones_and_defaults() -> None:
    inner = Template(
        name="inner",
        parameters={
            "url": Parameter(),
            "count": Parameter(type=ParameterType.INTEGER, default=3),
            "text": Parameter(default="x"),
        },
        nodes=(step("a"),),
    )
    outer = template("outer", include("in", "inner", url="${{ release.ref }}", text="$${{ y }}"))
    (node,) = written_out(outer, Library([inner])).nodes
    (around,) = node.within
    assert around.parameters == {"url": "${{ release.ref }}", "count": 3, "text": "${{ y }}"}
    assert set(around.declared) == {"url"}


@pytest.mark.parametrize(
    ("outer", "others", "words"),
    [
        (template("t", include("i", "nowhere")), [], "no template is called 'nowhere'"),
        (template("t", include("i", "diamnd")), [DIAMOND], "did you mean 'diamond'?"),
        (template("t", include("i", "diamond@7")), [DIAMOND], "has no version '7'; versions: 1"),
        (template("t", include("i", "diamond@")), [DIAMOND], "is not the name of a template"),
        (template("t", include("i", "t")), [template("t", include("i", "t"))],
         "a cycle: t@1 includes t@1"),
        (template("t", include("i", "u")),
         [template("t", include("i", "u")), template("u", include("i", "v")),
          template("v", include("j", "u"))],
         "a cycle: u@1 includes v@1 includes u@1"),
        (template("t", include("i" * 40, "u")), [template("u", step("a" * 40))],
         "which has 81 characters"),
        (template("t", include("i", "diamond", extra=1)), [DIAMOND], "has no parameter 'extra'"),
        (template("t", include("i", "u")),
         [Template(name="u", parameters={"url": Parameter()}, nodes=(step("a"),))],
         "'url' has no value, and u@1 has no default for it"),
        (template("t", include("i", "u", n="x")),
         [Template(name="u", parameters={"n": Parameter(type=ParameterType.INTEGER)},
                   nodes=(step("a"),))],
         "must be a whole number"),
        (template("t", include("i", "${{ release.name }}")), [], "cannot depend on an expression"),
        (template("t", include("i", "diamond").model_copy(update={"halt": step("a").timeout})),
         [DIAMOND], "halt: has no effect on an include"),
        (template("t", Node(id="i", type="include")), [], "inputs.template: is missing"),
        (template("t", include("i", "u")),
         [template("u", Node(id="w", type="wait", inputs={"advance": {"groups": ["nobody"]}}))],
         "of its node 'i.w' inputs.advance.groups no group called nobody has members"),
    ],
)  # fmt: skip
def test_an_include_that_cannot_be_is_refused(
    outer: Template, others: list[Template], words: str
) -> None:
    with pytest.raises(InputError) as raised:
        check(outer, {}, Library(others))
    assert words in str(raised.value)
    assert raised.value.field.startswith("template.t.nodes.i")


def test_too_many_levels_are_refused_and_the_last_allowed_one_is_not() -> None:
    chain = [template("t0", step("a"))]
    chain += [template(f"t{n}", include("i", f"t{n - 1}")) for n in range(1, MAX_DEPTH + 2)]
    check(chain[MAX_DEPTH], None, Library(chain))
    with pytest.raises(InputError, match=f"include each other {MAX_DEPTH + 1} deep"):
        check(chain[MAX_DEPTH + 1], None, Library(chain))


def test_templates_that_multiply_are_refused_before_they_are_written_out() -> None:
    grown = [template("t0", *(step(f"a{n}") for n in range(10)))]
    for level in range(1, MAX_DEPTH):
        grown.append(template(f"t{level}", *(include(f"i{n}", f"t{level - 1}") for n in range(10))))
    with pytest.raises(InputError, match=f"more than {MAX_NODES} nodes"):
        check(grown[-1], None, Library(grown))


def test_the_newest_version_is_meant_unless_one_is_named() -> None:
    library = Library([template("u", step("old")), template("u", step("new"), version="2")])
    newest = written_out(template("t", include("i", "u")), library)
    named = written_out(template("t", include("i", "u@1")), library)
    assert ([*edges(newest)], [*edges(named)]) == (["i.new"], ["i.old"])


def test_nobody_writes_what_writing_out_adds() -> None:
    (node,) = written_out(template("t", include("i", "diamond")), Library([DIAMOND])).nodes[:1]
    (found,) = problems(template("t", node))
    assert (found.location, found.problem) == (("nodes", 0, "within"), "is not a known field")
