"""What is wrong with a document, in words for the person who wrote it."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from engine.model.base import Digest, Json, Name
from engine.model.release import Version
from engine.model.strategy import Percent

Location = tuple[str | int, ...]
"""The way to a value: mapping keys and list indexes from the outside in."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        problem: what is wrong, in one clause.
        remedy: what to do about it; empty where it is obvious.
    """

    location: Location
    problem: str
    remedy: str = ""


def explain(error: ValidationError, data: Json, model: type[BaseModel]) -> tuple[Problem, ...]:
    """Every problem of `error`, which validating `data` as `model` raised; at least one."""
    found: dict[Location, list[Problem]] = {}
    for details in error.errors(include_url=False):
        location = _real_location(details["loc"], data)
        problem, remedy = _words(details, model)
        found.setdefault(location, []).append(Problem(location, problem, remedy))
    # A union reports every alternative that failed, and a list with a bad item also counts as too
    # short; what is wrong further inside is what the author can act on.
    outermost = [
        location
        for location in found
        if not any(other != location and other[: len(location)] == location for other in found)
    ]
    return tuple(_merged(found[location]) for location in outermost)


def _merged(alternatives: list[Problem]) -> Problem:
    problems = dict.fromkeys(each.problem for each in alternatives)
    remedies = dict.fromkeys(each.remedy for each in alternatives if each.remedy)
    return Problem(alternatives[0].location, " or ".join(problems), " or ".join(remedies))


def _real_location(loc: tuple[str | int, ...], data: Json) -> Location:
    """`loc` without the names of union alternatives, which are no part of the document."""
    real: list[str | int] = []
    here = data
    for position, part in enumerate(loc):
        if isinstance(here, dict) and part in here:
            here = here[str(part)]
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        elif not (isinstance(here, dict) and position == len(loc) - 1 and part != "[key]"):
            continue
        real.append(part)
    return tuple(real)


def _pattern(annotation: Any) -> str:
    constraints = next(c for c in get_args(annotation) if isinstance(c, StringConstraints))
    return str(constraints.pattern)


_PATTERNS = {
    _pattern(Name): (
        "is not a name",
        "use up to 63 lower-case letters, digits, '.', '_' and '-', "
        "with a letter or digit at both ends",
    ),
    _pattern(Digest): ("is not a digest", "write sha256: and 64 lower-case hexadecimal digits"),
    _pattern(Version): (
        "is not a version",
        "use up to 128 letters, digits, '.', '+', '_' and '-', beginning with a letter or digit",
    ),
    _pattern(Percent): ("is not a percentage", "write 1% to 100%"),
}

_EXPECTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "time_delta_type": "a duration such as 30s, 15m or 72h",
    "time_delta_parsing": "a duration such as 30s, 15m or 72h",
}

_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "greater than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}


def _words(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    if kind in _EXPECTED:
        quote = kind == "string_type" and isinstance(given, int | float)
        remedy = "put it in quotes" if quote else ""
        return f"must be {_EXPECTED[kind]}, but is {_kind_of(given)}", remedy
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"must be {words} {context[key]:g}, but is {_shown(given)}", ""
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        problem, remedy = _PATTERNS[context["pattern"]]
        return f"{_shown(given)} {problem}", remedy
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(details, model)
    return details["msg"].removeprefix("Value error, ").replace("Input should", "should"), ""


def _missing(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    return "is missing", "add it"


def _unknown_field(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    known = sorted(_fields_at(model, details["loc"][:-1]))
    close = difflib.get_close_matches(str(details["loc"][-1]), known, n=1)
    if close:
        return "is not a known field", f"did you mean {close[0]!r}?"
    return "is not a known field", f"remove it; known here: {', '.join(known)}"


def _choice(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    return f"is {_shown(details['input'])}", f"use {details['ctx']['expected']}"


def _tag(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    context = details["ctx"]
    return f"has the type {_shown(context['tag'])}", f"use one of {context['expected_tags']}"


def _no_tag(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    return f"has no field {details['ctx']['discriminator']}", "add it"


def _too_short(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    least = details["ctx"]["min_length"]
    return f"needs at least {least} {'entry' if least == 1 else 'entries'}", "add one"


_SPECIAL: dict[str, Callable[[ErrorDetails, type[BaseModel]], tuple[str, str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_field,
    "enum": _choice,
    "literal_error": _choice,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _no_tag,
    "too_short": _too_short,
}


def _fields_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    """The field names of the models that may stand at `loc`."""
    here: list[Any] = [model]
    for part in loc:
        below = [
            inner
            for annotation in here
            for alternative in _alternatives(annotation)
            for inner in _inside(alternative, part)
        ]
        # A part that leads nowhere is the name of a union's alternative.
        here = below or here
    return {
        name
        for annotation in here
        for alternative in _alternatives(annotation)
        if isinstance(alternative, type) and issubclass(alternative, BaseModel)
        for name in alternative.model_fields
    }


def _alternatives(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif origin is Union or origin is types.UnionType:
        for each in get_args(annotation):
            yield from _alternatives(each)
    else:
        yield annotation


def _inside(annotation: Any, part: str | int) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return [] if field is None else [field.annotation]
    if get_origin(annotation) in (tuple, list) and isinstance(part, int):
        return [get_args(annotation)[0]]
    if get_origin(annotation) is dict:
        return [get_args(annotation)[1]]
    return []


def _kind_of(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return _shown(value)


def _shown(value: object) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
