"""Validation of a whole template, before anything of it runs.

A template is refused when one of these holds: two nodes have one id, a need or type does not exist,
needs or includes form a cycle, an input is of the wrong type, an expression is malformed or speaks
of what is not there, a parameter contradicts itself, or a node can never be reached. Since a node
that is skipped counts as one that succeeded for those that need it, a node is out of reach only
through a cycle, or by a `when` that is false whatever happens.

What an input that holds expressions comes to is known only when its node starts; it is checked
then, and everything around it now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import cast

from pydantic import ValidationError

from engine.errors import InputError
from engine.expressions.interpolation import is_rendered_later
from engine.model import problem as plain
from engine.model.base import Json
from engine.model.explanation import Location, Problem, dotted, explain
from engine.model.gate_config import Groups
from engine.model.spelling import suggestion
from engine.model.template import Node, OnFailure, Template
from engine.templates.declarations import declaration_problems
from engine.templates.graph import upstream
from engine.templates.include import is_include, written_out
from engine.templates.inclusion import include_problems
from engine.templates.library import BUILT_IN, Library
from engine.templates.mentions import Surroundings, in_condition, in_value
from engine.templates.registry import get, working
from engine.templates.uses import plugin_problems


def check(template: Template, groups: Groups | None = None, library: Library = BUILT_IN) -> None:
    """Hold a template against the node types, and its nodes against each other.

    Args:
        groups: the environment's people by group, where it is known; inputs that name groups are
            then held against it.
        library: the templates that it can include.

    Raises:
        InputError: something is wrong. A single problem is named by its own path,
            `template.<name>.nodes.<id>.…`; several are listed under `template.<name>`.
    """
    subject = f"template.{template.name}"
    found = problems(template, groups, library)
    if found:
        raise InputError(
            *plain.merged(
                subject,
                [
                    plain.Problem(
                        f"{subject}.{named(template, each)}",
                        each.problem,
                        each.remedy,
                    )
                    for each in found
                ],
            )
        )


def problems(
    template: Template, groups: Groups | None = None, library: Library = BUILT_IN
) -> list[Problem]:
    """Everything that is wrong with a template, by location within it."""
    found = [*declaration_problems(template), *_ids(template), *_needs(template)]
    for index, node in enumerate(template.nodes):
        found += _node(node, ("nodes", index), groups)
    found += [*_cycles(template), *include_problems(template, library)]
    if found:
        # What an expression may speak of is known only of a graph that holds together.
        return found
    try:
        expanded = written_out(template, library)
    except InputError as error:
        return [Problem(_location(template, error.field), error.problem, error.remedy)]
    return [*_expressions(template, expanded), *_inner(template, expanded, groups)]


def _inner(template: Template, expanded: Template, groups: Groups | None) -> Iterator[Problem]:
    """What is wrong with included nodes here, though their own template is right by itself."""
    index = {node.id: position for position, node in enumerate(template.nodes)}
    for node in expanded.nodes:
        if node.within:
            outer = node.within[0].node
            for each in _node(node.model_copy(update={"within": ()}), (), groups):
                problem = f"of its node {node.id!r} {dotted(each.location)} {each.problem}"
                location = ("nodes", index[outer], "inputs", "template")
                yield Problem(location, problem, each.remedy)


def named(template: Template, problem: Problem) -> str:
    """Where in the template a problem is, in words that need no file: `nodes.<id>.inputs.url`."""
    parts = [str(part) for part in problem.location]
    if len(parts) > 1 and parts[0] == "nodes":
        parts[1] = template.nodes[int(parts[1])].id
    return ".".join(parts)


def _location(template: Template, field: str) -> Location:
    """The location that `nodes.<id>.…` names."""
    for index, node in enumerate(template.nodes):
        prefix = f"nodes.{node.id}"
        if field == prefix or field.startswith(f"{prefix}."):
            rest = field.removeprefix(prefix).split(".")[1:]
            return ("nodes", index, *rest)
    return ("nodes",)


def _ids(template: Template) -> Iterator[Problem]:
    counted = Counter(node.id for node in template.nodes)
    last = {node.id: index for index, node in enumerate(template.nodes)}
    for node_id, count in counted.items():
        if count > 1:
            problem = f"{count} nodes have the id {node_id!r}"
            yield Problem(("nodes", last[node_id], "id"), problem, "give each its own")


def _needs(template: Template) -> Iterator[Problem]:
    ids = dict.fromkeys(node.id for node in template.nodes)
    for index, node in enumerate(template.nodes):
        for position, need in enumerate(node.needs):
            if need not in ids:
                problem = f"no node is called {need!r}"
                location = ("nodes", index, "needs", position)
                yield Problem(location, problem, suggestion(need, ids, "nodes"))


def _node(node: Node, location: Location, groups: Groups | None) -> Iterator[Problem]:
    if node.within:
        yield Problem((*location, "within"), "is not a known field", "remove it")
    if node.timeout <= timedelta(0):
        yield Problem((*location, "timeout"), "is not above zero", "write for example 30m")
    if node.halt and node.on_failure is OnFailure.CONTINUE:
        problem = "has no meaning, since the node's failure does not end the run"
        yield Problem((*location, "halt"), problem, "remove it, or on_failure: continue")
    yield from _inputs(node.type, node.inputs, location, groups)
    if node.on_rollback is not None:
        inside = (*location, "on_rollback")
        try:
            working(node.on_rollback.type)
        except InputError as error:
            yield Problem((*inside, "type"), error.problem, error.remedy)
        else:
            yield from _inputs(node.on_rollback.type, node.on_rollback.inputs, inside, groups)
        if node.on_rollback.timeout <= timedelta(0):
            yield Problem((*inside, "timeout"), "is not above zero", "write for example 30m")


def _inputs(
    type: str, inputs: Mapping[str, Json], location: Location, groups: Groups | None
) -> Iterator[Problem]:
    try:
        model = get(type).inputs
    except InputError as error:
        yield Problem((*location, "type"), error.problem, error.remedy)
        return
    context = None if groups is None else {"groups": groups}
    try:
        given = model.model_validate(inputs, context=context)
    except ValidationError as error:
        for each in explain(error, dict(inputs), model, settled=_is_settled):
            yield Problem((*location, "inputs", *each.location), each.problem, each.remedy)
        return
    for each in plugin_problems(given, _is_settled):
        yield Problem((*location, "inputs", *each.location), each.problem, each.remedy)


def _is_settled(value: object) -> bool:
    return not is_rendered_later(cast("Json", value))


def _cycles(template: Template) -> Iterator[Problem]:
    """One problem for each cycle, until the nodes that are left have none."""
    index = {node.id: position for position, node in enumerate(template.nodes)}
    counted = Counter(node.id for node in template.nodes)
    # Which of several nodes with one id is needed is anybody's guess.
    needs = {node.id: set(node.needs) for node in template.nodes if counted[node.id] == 1}
    while True:
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            # Each of the listed is needed by the one after it; the first is repeated at the end.
            cycle: list[str] = error.args[1][::-1]
            listed = " needs ".join(cycle)
            first = min(index[node_id] for node_id in cycle if node_id in index)
            yield Problem(
                ("nodes", first, "needs"), f"a cycle: {listed}", "remove one of these needs"
            )
            needs = {
                node_id: needed - set(cycle)
                for node_id, needed in needs.items()
                if node_id not in cycle
            }
        else:
            return


def _expressions(template: Template, expanded: Template) -> Iterator[Problem]:
    ids = tuple(node.id for node in expanded.nodes)
    includes = tuple(node.id for node in template.nodes if is_include(node))
    for index, node in enumerate(template.nodes):
        location = ("nodes", index)
        visible = _visible(expanded, node)
        around = Surroundings(node.id, ids, visible, includes, tuple(template.parameters))
        yield from in_condition(node.when, (*location, "when"), around)
        yield from in_value(node.inputs, (*location, "inputs"), around)
        if node.on_rollback is not None:
            after = replace(around, visible=visible | {node.id})
            inside = (*location, "on_rollback", "inputs")
            yield from in_value(node.on_rollback.inputs, inside, after)


def _visible(expanded: Template, node: Node) -> frozenset[str]:
    """The nodes that have ended when this one starts; for an include, when its first one does."""
    if not is_include(node):
        return upstream(expanded, node.id)
    prefix = f"{node.id}."
    inner = [each for each in expanded.nodes if each.id.startswith(prefix)]
    before = frozenset[str]().union(*(upstream(expanded, each.id) for each in inner))
    return frozenset(node_id for node_id in before if not node_id.startswith(prefix))
