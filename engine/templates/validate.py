"""Validation of a whole template, before anything of it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter

from pydantic import ValidationError

from engine.errors import InputError
from engine.model.gate_config import Groups
from engine.model.problem import Problem, merged, problems_of
from engine.model.template import Node, Template
from engine.templates.registry import get


def check(template: Template, groups: Groups | None = None) -> None:
    """Hold a template against the node types, and its nodes against each other.

    Args:
        groups: the environment's people by group, where it is known; inputs that name groups are
            then held against it.

    Raises:
        InputError: something is wrong. A single problem is named by its own path,
            `template.<name>.nodes.<id>.…`; several are listed under `template.<name>`.
    """
    subject = f"template.{template.name}"
    problems = [*_ids(template, subject), *_needs(template, subject)]
    for node in template.nodes:
        problems += _node(node, f"{subject}.nodes.{node.id}", groups)
    problems += _cycles(template, subject)
    if problems:
        raise InputError(*merged(subject, problems))


def _ids(template: Template, subject: str) -> Iterator[Problem]:
    counted = Counter(node.id for node in template.nodes)
    for node_id, count in counted.items():
        if count > 1:
            problem = f"{count} nodes have the id {node_id!r}"
            yield Problem(f"{subject}.nodes.{node_id}.id", problem, "give each its own")


def _needs(template: Template, subject: str) -> Iterator[Problem]:
    ids = {node.id: None for node in template.nodes}
    for node in template.nodes:
        for need in node.needs:
            if need not in ids:
                problem = f"no node is called {need!r}"
                known = f"nodes: {', '.join(ids)}"
                yield Problem(f"{subject}.nodes.{node.id}.needs", problem, known)


def _node(node: Node, path: str, groups: Groups | None) -> Iterator[Problem]:
    if node.timeout <= timedelta(0):
        yield Problem(f"{path}.timeout", "is not above zero", "write for example 30m")
    try:
        node_type = get(node.type)
    except InputError as error:
        yield Problem(f"{path}.type", error.problem, error.remedy)
        return
    context = None if groups is None else {"groups": groups}
    try:
        node_type.inputs.model_validate(node.inputs, context=context)
    except ValidationError as error:
        yield from problems_of(error, node.inputs, f"{path}.inputs")


def _cycles(template: Template, subject: str) -> Iterator[Problem]:
    """One problem for each cycle, until the nodes that are left have none."""
    needs = {node.id: set(node.needs) for node in template.nodes}
    while True:
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            # Each of the listed is needed by the one after it; the first is repeated at the end.
            cycle: list[str] = error.args[1][::-1]
            listed = " needs ".join(cycle)
            yield Problem(f"{subject}.nodes", f"a cycle: {listed}", "remove one of these needs")
            needs = {
                node_id: needed - set(cycle)
                for node_id, needed in needs.items()
                if node_id not in cycle
            }
        else:
            return
