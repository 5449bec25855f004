"""Holding a plugin's inputs against the JSON Schema that it declares.

Source: https://json-schema.org/draft/2020-12. References lead to places within the schema only;
nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from engine.model.base import Json
from engine.model.explanation import Problem

_ABOUT_KEYS = frozenset(
    {"required", "additionalProperties", "propertyNames", "dependentRequired", "minProperties"}
)
"""Rules that are broken whatever becomes of the values."""


def fault(schema: Mapping[str, Json]) -> str:
    """What makes `schema` no JSON Schema that inputs can be held against; empty when it is one."""
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        path = ".".join(str(part) for part in error.absolute_path)
        return f"{path or 'the schema'}: {_shortened(error.message)}"
    dialect = schema.get("$schema", Draft202012Validator.META_SCHEMA["$id"])
    if dialect != Draft202012Validator.META_SCHEMA["$id"]:
        return f"$schema: is {dialect!r}, but draft 2020-12 is meant"
    if schema.get("type", "object") != "object":
        return "type: inputs are an object, so it has to be 'object'"
    below = {key: value for key, value in schema.items() if key != "$ref"}
    try:
        for reference in _references(dict(schema)):
            _validator({"$ref": reference, **below}).is_valid({})
    except Unresolvable as error:
        return f"$ref: {error.ref!r} does not lead to anything in the schema"
    except RecursionError:
        return "$ref: leads to itself without an end"
    return ""


def problems(
    schema: Mapping[str, Json],
    inputs: Mapping[str, Json],
    settled: Callable[[object], bool] = lambda value: True,
) -> list[Problem]:
    """Everything in which `inputs` do not fit `schema`, by location within the inputs.

    Args:
        schema: one without `fault`.
        settled: whether a value is final. What is wrong with one that is not is left out, unless
            it stays wrong whatever becomes of the value.
    """
    try:
        found = list(_validator(schema).iter_errors(dict(inputs)))
    except (RecursionError, Unresolvable) as broken:
        return [Problem((), f"cannot be held against the plugin's schema: {broken}")]
    return [
        Problem(tuple(cause.absolute_path), _shortened(cause.message))
        for error in found
        if error.validator in _ABOUT_KEYS or settled(error.instance)
        for cause in [best_match([error]) or error]
    ]


def _validator(schema: Mapping[str, Json]) -> Draft202012Validator:
    # Given a registry of its own, the library never fetches what a reference names.
    return Draft202012Validator(dict(schema), registry=Registry())


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _shortened(message: str) -> str:
    return message if len(message) <= 300 else message[:299] + "…"
