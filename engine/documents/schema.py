"""JSON Schemas of the files, so that editors complete and check them while they are written.

Source: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

import engine.drivers.registry as drivers
import engine.gates.registry as gates
import engine.templates.registry as nodes
from engine.model.environment import EnvironmentFile, Gate, TargetDocument
from engine.model.release import ReleaseDocument
from engine.model.template import Node

_REF = "#/$defs/{model}"
_DURATION = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w|mm|y))+$|^P"


def environment_schema() -> dict[str, Any]:
    """The schema of an environment file, with the gates, nodes and drivers that are installed."""
    schema = _schema_of(EnvironmentFile, "Environment file of the promotion engine")
    definitions = schema["$defs"]
    _by_type(definitions, Gate, "type", "config", ((n, gates.get(n).config) for n in gates.names()))
    _by_type(definitions, Node, "type", "inputs", ((n, nodes.get(n).inputs) for n in nodes.names()))
    _by_type(
        definitions,
        TargetDocument,
        "driver",
        "config",
        ((name, drivers.get(name).config) for name in drivers.names()),
    )
    return schema


def release_schema() -> dict[str, Any]:
    """The schema of a release file."""
    return _schema_of(ReleaseDocument, "Release file of the promotion engine")


class _Generator(GenerateJsonSchema):
    """As pydantic does it, but with the durations that people write."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": _DURATION, "examples": ["90s", "15m", "72h", "1h30m"]}


def _schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=_REF, schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": title}


def _by_type(
    definitions: dict[str, Any],
    model: type[BaseModel],
    discriminator: str,
    field: str,
    known: Iterable[tuple[str, type[BaseModel]]],
) -> None:
    """Tie what `field` of `model` takes to the name in `discriminator`."""
    holder = definitions[model.__name__]
    required = [discriminator] if discriminator in holder.get("required", ()) else []
    names, rules = [], []
    for name, config in known:
        names.append(name)
        key = f"{model.__name__}.{name}"
        own = config.model_json_schema(
            ref_template=f"#/$defs/{key}/$defs/{{model}}", schema_generator=_Generator
        )
        definitions[key] = own
        chosen = {"properties": {discriminator: {"const": name}}, "required": required}
        rule: dict[str, Any] = {"properties": {field: {"$ref": _REF.format(model=key)}}}
        if own.get("required"):
            rule["required"] = [field]
        rules.append({"if": chosen, "then": rule})
    holder["properties"][discriminator]["enum"] = names
    holder["allOf"] = rules
