"""The values of a template's parameters: which count, and whether they fit.

A value of the request counts before one of the environment, and that before the default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from engine.errors import InputError
from engine.model import explanation
from engine.model.base import Duration, Json
from engine.model.explanation import dotted
from engine.model.problem import Problem, merged
from engine.model.spelling import suggestion
from engine.model.template import Parameter, ParameterType, Template

_DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)

_WORDS = {
    ParameterType.STRING: ("text", "put it in quotes"),
    ParameterType.INTEGER: ("a whole number", "write for example 3"),
    ParameterType.NUMBER: ("a number", "write for example 0.5"),
    ParameterType.BOOLEAN: ("true or false", "write true or false"),
    ParameterType.DURATION: ("a duration", "write for example 30s, 15m or 72h"),
    ParameterType.LIST: ("a list", "write for example [a, b]"),
    ParameterType.MAP: ("a mapping", "write for example {key: value}"),
}


def resolve(
    template: Template, environment: Mapping[str, Json], request: Mapping[str, Json]
) -> dict[str, Json]:
    """All of the template's parameters with the values that count.

    Args:
        environment: values of the environment, after whose declaration they were checked.
        request: values of the promotion's request.

    Raises:
        InputError: a value fits no parameter, or a parameter has no value; names
            `parameters.<name>`.
    """
    given = {**environment, **request}
    problems = [*wrong(template, given), *missing(template, given)]
    if problems:
        named = [
            Problem(f"parameters.{dotted(each.location)}", each.problem, each.remedy)
            for each in problems
        ]
        raise InputError(*merged("parameters", named))
    return {**defaults(template), **given}


def defaults(template: Template) -> dict[str, Json]:
    """The defaults of the template's parameters; None for one that has to be given."""
    return {name: declared.default for name, declared in template.parameters.items()}


def wrong(template: Template, given: Mapping[str, Json]) -> Iterator[explanation.Problem]:
    """Those of the given values that fit no parameter of the template, by name."""
    for name, value in given.items():
        declared = template.parameters.get(name)
        if declared is None:
            problem = f"the template {template.name!r} has no parameter {name!r}"
            remedy = suggestion(name, template.parameters, "its parameters")
            yield explanation.Problem((name,), problem, remedy)
        elif found := problem_of(declared, value):
            yield explanation.Problem((name,), *found)


def missing(template: Template, given: Mapping[str, Json]) -> Iterator[explanation.Problem]:
    """The parameters that have neither a default nor a given value, by name."""
    for name, declared in template.parameters.items():
        if declared.default is None and name not in given:
            about = f" ({declared.description})" if declared.description else ""
            problem = f"has no value, and the template {template.name!r} has no default for it"
            remedy = f"give {_WORDS[declared.type][0]}{about}"
            yield explanation.Problem((name,), problem, remedy)


def check_value(field: str, declared: Parameter, value: Json) -> None:
    """Hold one value against its declaration.

    Raises:
        InputError: it does not fit.
    """
    problem = problem_of(declared, value)
    if problem is not None:
        raise InputError(field, *problem)


def problem_of(declared: Parameter, value: Json) -> tuple[str, str] | None:
    """What is wrong with a value and the remedy; None when it fits."""
    words, remedy = _WORDS[declared.type]
    if not _has_type(declared.type, value):
        return f"must be {words}, but is {_shown(value)}", remedy
    if declared.choices and value not in declared.choices:
        choices = ", ".join(map(_shown, declared.choices))
        return f"is {_shown(value)}, which is none of its choices", f"use one of {choices}"
    return None


def _has_type(type: ParameterType, value: Json) -> bool:
    match type:
        case ParameterType.STRING:
            return isinstance(value, str)
        case ParameterType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case ParameterType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ParameterType.BOOLEAN:
            return isinstance(value, bool)
        case ParameterType.DURATION:
            return isinstance(value, str) and _is_duration(value)
        case ParameterType.LIST:
            return isinstance(value, list)
        case ParameterType.MAP:
            return isinstance(value, dict)


def _is_duration(text: str) -> bool:
    try:
        return _DURATION.validate_python(text) >= timedelta(0)
    except ValidationError:
        return False


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
