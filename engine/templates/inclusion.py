"""Checking the includes of a template against the templates that they name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pydantic import ValidationError

from engine.errors import InputError
from engine.expressions.interpolation import has_expressions, is_rendered_later
from engine.model.explanation import Location, Problem
from engine.model.spelling import suggestion
from engine.model.template import Node, OnFailure, RetryPolicy, Template
from engine.templates.include import is_include
from engine.templates.library import Library, reference
from engine.templates.nodes.include import IncludeInputs
from engine.templates.parameters import problem_of
from engine.templates.rendering import without_escapes

_TIMEOUT = Node.model_fields["timeout"].default


def include_problems(template: Template, library: Library) -> Iterator[Problem]:
    """What is wrong with the template's includes, by location within the template."""
    for index, node in enumerate(template.nodes):
        if is_include(node):
            yield from _include(node, ("nodes", index), library)


def _include(node: Node, location: Location, library: Library) -> Iterator[Problem]:
    yield from _without_effect(node, location)
    try:
        given = IncludeInputs.model_validate(node.inputs)
    except ValidationError:
        # Already told, as for the inputs of any other type.
        return
    name = (*location, "inputs", "template")
    if has_expressions(given.template):
        problem = "which template is included cannot depend on an expression"
        yield Problem(name, problem, "write its name, and use when: to choose between includes")
        return
    try:
        included = library.find(given.template)
    except InputError as error:
        yield Problem(name, error.problem, error.remedy)
        return
    yield from _parameters(given, included, (*location, "inputs", "parameters"))


def _parameters(given: IncludeInputs, included: Template, location: Location) -> Iterator[Problem]:
    for name, value in given.parameters.items():
        declared = included.parameters.get(name)
        if declared is None:
            problem = f"the template {reference(included)} has no parameter {name!r}"
            remedy = suggestion(name, included.parameters, "its parameters")
            yield Problem((*location, name), problem, remedy)
            continue
        try:
            later = is_rendered_later(value)
        except InputError:
            # Told with the expressions of all nodes.
            continue
        if not later and (found := problem_of(declared, without_escapes(value))):
            yield Problem((*location, name), *found)
    for name, declared in included.parameters.items():
        if declared.default is None and given.parameters.get(name) is None:
            problem = f"{name!r} has no value, and {reference(included)} has no default for it"
            yield Problem(location, problem, f"give {declared.type.value} {name}")


def _without_effect(node: Node, location: Location) -> Iterator[Problem]:
    """Whatever a node has and an include has no use for, since its nodes have their own."""
    given = {
        "retry": node.retry != RetryPolicy(),
        "timeout": node.timeout != _TIMEOUT,
        "on_failure": node.on_failure is not OnFailure.FAIL,
        "on_rollback": node.on_rollback is not None,
        "halt": node.halt != timedelta(0),
    }
    for field, is_given in given.items():
        if is_given:
            problem = "has no effect on an include, which is written out"
            yield Problem((*location, field), problem, "set it on the included template's nodes")
