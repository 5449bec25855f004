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
from engine.model.template import Compensation, Node, TemplateFile
from engine.templates.protocol import WorkingNodeType

_REF = "#/$defs/{model}"
_EXPRESSION = r"\$\{\{"
_ANNOTATIONS = ("title", "description", "default")
_DURATION = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w|mm|y))+$|^P"


def environment_schema() -> dict[str, Any]:
    """The schema of an environment file, with the gates, nodes and drivers that are installed."""
    schema = schema_of(EnvironmentFile, "Environment file of the promotion engine")
    definitions = schema["$defs"]
    _by_type(definitions, Gate, "type", "config", ((n, gates.get(n).config) for n in gates.names()))
    _nodes(definitions)
    _by_type(
        definitions,
        TargetDocument,
        "driver",
        "config",
        ((name, drivers.get(name).config) for name in drivers.names()),
    )
    return schema


def template_schema() -> dict[str, Any]:
    """The schema of a template file, with the node types that are installed."""
    schema = schema_of(TemplateFile, "Template file of the promotion engine")
    _nodes(schema["$defs"])
    return schema


def release_schema() -> dict[str, Any]:
    """The schema of a release file."""
    return schema_of(ReleaseDocument, "Release file of the promotion engine")


class _Generator(GenerateJsonSchema):
    """As pydantic does it, but with the durations that people write."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": "string", "pattern": _DURATION, "examples": ["90s", "15m", "72h", "1h30m"]}


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema of a file that is read as `model`."""
    schema = model.model_json_schema(ref_template=_REF, schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": title}


def _nodes(definitions: dict[str, Any]) -> None:
    """Tie the inputs of nodes, and of what takes them back, to their types."""
    _by_type(definitions, Node, "type", "inputs", ((n, nodes.get(n).inputs) for n in nodes.names()))
    working = [(name, nodes.get(name)) for name in nodes.names()]
    _by_type(
        definitions,
        Compensation,
        "type",
        "inputs",
        ((name, node.inputs) for name, node in working if isinstance(node, WorkingNodeType)),
    )
    for key in [key for key in definitions if key.startswith(("Node.", "Compensation."))]:
        _allow_expressions(definitions[key])


def _allow_expressions(schema: Any) -> None:
    """Let any value but an object's keys be given by text that holds an expression."""
    if isinstance(schema, list):
        for each in schema:
            _allow_expressions(each)
        return
    if not isinstance(schema, dict):
        return
    for field, inner in schema.get("properties", {}).items():
        _allow_expressions(inner)
        schema["properties"][field] = _or_expression(inner)
    for key, inner in schema.items():
        if key in ("items", "additionalProperties") and isinstance(inner, dict):
            _allow_expressions(inner)
            schema[key] = _or_expression(inner)
        elif key in ("anyOf", "oneOf", "allOf"):
            _allow_expressions(inner)
        elif key == "$defs":
            _allow_expressions(list(inner.values()))


def _or_expression(schema: dict[str, Any]) -> dict[str, Any]:
    if schema == {}:
        return schema
    annotations = {key: schema.pop(key) for key in _ANNOTATIONS if key in schema}
    return {**annotations, "anyOf": [schema, {"type": "string", "pattern": _EXPRESSION}]}


def _by_type(
    definitions: dict[str, Any],
    model: type[BaseModel],
    discriminator: str,
    field: str,
    known: Iterable[tuple[str, type[BaseModel]]],
) -> None:
    """Tie what `field` of `model` takes to the name in `discriminator`."""
    holder = definitions[model.__name__]
    default = holder["properties"][discriminator].get("default")
    names, rules = [], []
    for name, config in known:
        names.append(name)
        key = f"{model.__name__}.{name}"
        own = config.model_json_schema(
            ref_template=f"#/$defs/{key}/$defs/{{model}}", schema_generator=_Generator
        )
        definitions[key] = own
        # Where it is left out only the default's rule holds.
        required = [] if name == default else [discriminator]
        chosen = {"properties": {discriminator: {"const": name}}, "required": required}
        rule: dict[str, Any] = {"properties": {field: {"$ref": _REF.format(model=key)}}}
        if own.get("required"):
            rule["required"] = [field]
        rules.append({"if": chosen, "then": rule})
    holder["properties"][discriminator]["enum"] = names
    holder["allOf"] = rules
