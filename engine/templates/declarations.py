"""Checking the parameters that a template declares."""

from __future__ import annotations

from collections.abc import Iterator

from engine.expressions.interpolation import has_expressions
from engine.model.base import Json
from engine.model.explanation import Location, Problem
from engine.model.template import Parameter, Template
from engine.templates.parameters import problem_of


def declaration_problems(template: Template) -> Iterator[Problem]:
    """What is wrong with the template's parameters, by location within the template."""
    for name, declared in template.parameters.items():
        yield from _declaration(declared, ("parameters", name))


def _declaration(declared: Parameter, location: Location) -> Iterator[Problem]:
    of_type = declared.model_copy(update={"choices": ()})
    for index, choice in enumerate(declared.choices):
        if problem := problem_of(of_type, choice):
            yield Problem((*location, "choices", index), *problem)
    if declared.default is None:
        return
    if problem := problem_of(declared, declared.default):
        yield Problem((*location, "default"), *problem)
    elif _holds_expression(declared.default):
        problem_text = "a default is taken as it stands, and this one holds ${{"
        remedy = "write the expression where the parameter is used"
        yield Problem((*location, "default"), problem_text, remedy)


def _holds_expression(value: Json) -> bool:
    if isinstance(value, str):
        return has_expressions(value)
    if isinstance(value, list):
        return any(map(_holds_expression, value))
    return isinstance(value, dict) and any(map(_holds_expression, value.values()))
