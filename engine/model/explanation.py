"""What is wrong with a document, in words for the person who wrote it."""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Union, cast, get_args, get_origin

import durationpy
from pydantic import BaseModel, StringConstraints, ValidationError
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails

from engine.model.base import Digest, Json, Name
from engine.model.release import Version
from engine.model.strategy import Percent

# What no schema shows is nothing that people write.
_UNWRITTEN = cast("type", SkipJsonSchema)

_SHOWN = 80
_DEEPEST = 16
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{,79}")

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


def _always_settled(value: object) -> bool:
    return True


def explain(
    error: ValidationError,
    data: Json,
    model: type[BaseModel],
    settled: Callable[[object], bool] = _always_settled,
) -> tuple[Problem, ...]:
    """Every problem of `error`, which validating `data` as `model` raised.

    Args:
        settled: whether a value is final. What is wrong with one that is not is left out, unless
            it stays wrong whatever becomes of the value.

    Returns:
        At least one problem where all values are settled.
    """
    found: dict[Location, list[Problem]] = {}
    meant: set[Location] = set()
    for details in error.errors(include_url=False):
        if not _is_certain(details, settled):
            continue
        location = _real_location(details["loc"], data)
        problem, remedy = _words(details, model)
        if details["type"] == "extra_forbidden":
            # What is missing under its right name is told by the wrong one.
            meant.update((*location[:-1], name) for name in _close(details, model))
        found.setdefault(location, []).append(Problem(location, problem, remedy))
    # A union reports every alternative that failed, and a list with a bad item also counts as too
    # short; what is wrong further inside is what the author can act on.
    around = {location[:end] for location in found for end in range(len(location))}
    outermost = [location for location in found if location not in around]
    return tuple(_merged(found[location]) for location in outermost if location not in meant)


def _is_certain(details: ErrorDetails, settled: Callable[[object], bool]) -> bool:
    kind, given = details["type"], details["input"]
    if kind in ("missing", "extra_forbidden"):
        return True
    if kind == "union_tag_invalid":
        return settled(details["ctx"]["tag"])
    if kind in _EXPECTED and isinstance(given, dict | list):
        # Only text becomes something else.
        return True
    return settled(given)


def dotted(location: Location) -> str:
    """A location for people: `environments[0].targets[1].agent`."""
    text = ""
    for part in location[:_DEEPEST]:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part if len(part) <= _SHOWN else part[:_SHOWN] + '…')}]"
    return text if len(location) <= _DEEPEST else f"{text}…"


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
    r"\S": ("is the empty name", "write a name, or remove it"),
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
    "datetime_type": "a time such as 2026-04-01T09:00:00Z",
    "datetime_parsing": "a time such as 2026-04-01T09:00:00Z",
    "datetime_from_date_parsing": "a time such as 2026-04-01T09:00:00Z",
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
        remedy = "put it in quotes" if quote else f"write {_EXPECTED[kind]}"
        return f"must be {_EXPECTED[kind]}, but is {_kind_of(given)}", remedy
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        bound = _shown(context[key])
        problem = f"must be {words} {bound}, but is {_shown(given)}"
        return problem, f"write a value {words} {bound}"
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        problem, remedy = _PATTERNS[context["pattern"]]
        return f"{_shown(given)} {problem}", remedy
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(details, model)
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    # Our own validators write the remedy behind the problem.
    problem, _, remedy = message.partition("; ")
    return problem, remedy or "correct it"


def _missing(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    return "is missing", "add it"


def _unknown_field(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    close = _close(details, model)
    if close:
        return "is not a known field", f"did you mean {close[0]!r}?"
    known = sorted(_fields_at(model, details["loc"][:-1]))
    return "is not a known field", f"remove it; known here: {', '.join(known)}"


def _close(details: ErrorDetails, model: type[BaseModel]) -> list[str]:
    known = _fields_at(model, details["loc"][:-1])
    return difflib.get_close_matches(str(details["loc"][-1]), known, n=1)


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


def _too_long(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    most = details["ctx"]["max_length"]
    return f"has more than {most} entries", "split it up"


def _empty(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    least = details["ctx"]["min_length"]
    if least == 1:
        return "is empty", "write something"
    return f"is {_shown(details['input'])}", f"write at least {least} characters"


def _no_zone(details: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    return f"{_shown(details['input'])} has no time zone", "end it with Z, or with +01:00"


_SPECIAL: dict[str, Callable[[ErrorDetails, type[BaseModel]], tuple[str, str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_field,
    "enum": _choice,
    "literal_error": _choice,
    "union_tag_invalid": _tag,
    "union_tag_not_found": _no_tag,
    "too_short": _too_short,
    "too_long": _too_long,
    "string_too_short": _empty,
    "timezone_aware": _no_zone,
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
        field.alias or name
        for annotation in here
        for alternative in _alternatives(annotation)
        if isinstance(alternative, type) and issubclass(alternative, BaseModel)
        for name, field in alternative.model_fields.items()
        if not any(isinstance(each, _UNWRITTEN) for each in field.metadata)
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
    match value:
        case bool():
            text = "true" if value else "false"
        case float():
            text = f"{value:g}"
        case timedelta():
            text = durationpy.to_str(value)
        case _:
            text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
