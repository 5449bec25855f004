"""Checking the expressions of a template's nodes before anything of it runs.

Each is compiled and type-checked, and what it speaks of must be there when it is evaluated: a
parameter that is declared, a node that has ended by then. A key that is itself computed, as in
`nodes[params.from]`, can only be looked up when the node starts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from engine.errors import InputError
from engine.expressions.interpolation import has_expressions, parts_of
from engine.expressions.language import Expression, Kind, Scope, compiled
from engine.expressions.syntax import Reference, place_in, references
from engine.model.base import Json
from engine.model.explanation import Location, Problem
from engine.model.spelling import suggestion


@dataclass(frozen=True)
class Surroundings:
    """What the expressions of one node may speak of.

    Attributes:
        node_id: the node's own id.
        nodes: the ids of all nodes once includes are written out.
        visible: those of them whose outputs are there.
        includes: the ids of the template's includes.
        params: the names of its parameters.
    """

    node_id: str
    nodes: Collection[str]
    visible: Collection[str]
    includes: Collection[str]
    params: Collection[str]


def in_value(value: Json, location: Location, around: Surroundings) -> Iterator[Problem]:
    """What is wrong with the expressions anywhere within an input."""
    if isinstance(value, str):
        yield from _in_text(value, location, around)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from in_value(each, (*location, index), around)
    elif isinstance(value, dict):
        for key, each in value.items():
            if has_expressions(key):
                yield Problem((*location, key), "a key is no expression", "write the key out")
            yield from in_value(each, (*location, key), around)


def in_condition(text: str, location: Location, around: Surroundings) -> Iterator[Problem]:
    """What is wrong with a `when`; also that it can never be true."""
    if not text:
        return
    if has_expressions(text):
        problem = "a condition is an expression as it stands"
        yield Problem(location, problem, "leave out ${{ and }}")
        return
    try:
        expression = compiled(text, Scope.NODE, Kind.BOOL)
    except InputError as error:
        yield Problem(location, error.problem, error.remedy)
        return
    yield from _mentions(expression, text, 0, location, around)
    if is_never_true(expression):
        problem = f"is false whatever happens, so that node {around.node_id!r} is never reached"
        yield Problem(location, problem, "correct the condition, or remove the node")


def is_never_true(expression: Expression) -> bool:
    """Whether a condition is false without looking at any variable.

    In CEL `false && x` is false even where `x` cannot be evaluated, so evaluating it without
    variables tells: what needs one comes to an error instead.
    https://github.com/google/cel-spec/blob/master/doc/langdef.md#logical-operators
    """
    try:
        return expression.evaluate({}) is False
    except InputError:
        return False


def _in_text(text: str, location: Location, around: Surroundings) -> Iterator[Problem]:
    if not has_expressions(text):
        return
    try:
        parts = parts_of(text)
    except InputError as error:
        yield Problem(location, error.problem, error.remedy)
        return
    for part in parts:
        if not part.is_expression:
            continue
        try:
            expression = compiled(part.text, Scope.NODE)
        except InputError as error:
            yield Problem(location, *_replaced(text, part.text, part.at, error))
        else:
            yield from _mentions(expression, text, part.at, location, around)


def _replaced(whole: str, text: str, at: int, error: InputError) -> tuple[str, str]:
    """The error with the place within the whole text: what comes before is replaced by blanks."""
    before = "".join("\n" if character == "\n" else " " for character in whole[:at])
    try:
        compiled(before + text, Scope.NODE)
    except InputError as placed:
        if placed.problem.startswith("line "):
            return placed.problem, placed.remedy
    return error.problem, error.remedy


def _mentions(
    expression: Expression, whole: str, at: int, location: Location, around: Surroundings
) -> Iterator[Problem]:
    try:
        mentioned = references(expression.checked)
    except InputError as error:
        yield Problem(location, error.problem, error.remedy)
        return
    for reference in mentioned:
        found = _wrong(reference, around)
        if found is not None:
            moved = Reference(reference.variable, reference.key, reference.at + at)
            yield Problem(location, f"{place_in(whole, moved)}: {found[0]}", found[1])


def _wrong(reference: Reference, around: Surroundings) -> tuple[str, str] | None:
    key = reference.key
    if key is None:
        return None
    if reference.variable == "params" and key not in around.params:
        problem = f"the template has no parameter {key!r}"
        return problem, suggestion(key, around.params, "its parameters")
    if reference.variable != "nodes" or key in around.visible:
        return None
    if key in around.includes:
        inner = [node_id for node_id in around.nodes if node_id.startswith(f"{key}.")]
        problem = f"{key!r} is an include, which has no outputs of its own"
        return problem, suggestion(key, inner, "name one of its nodes, such as nodes['a.b']; they")
    if key == around.node_id:
        return f"node {key!r} speaks of itself", "name a node that ends before it"
    if key in around.nodes:
        problem = f"node {key!r} need not have ended when {around.node_id!r} starts"
        return problem, f"add {key!r} to its needs"
    problem = f"no node is called {key!r}"
    return problem, suggestion(key, around.nodes, "nodes")
