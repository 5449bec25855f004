from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.evidence.predicate import PREDICATE_TYPE
from engine.evidence.schema import predicate_schema
from engine.evidence.statement import build_statement
from engine.model.evidence import EvidenceInput
from tests.evidence.samples import allowed, denied

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas" / "promotion-predicate-v0.1.json"


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    yield schema
    yield from schema["$defs"].values()


def undeclared(value: Any, node: Any, schema: Any, path: str = "predicate") -> Iterator[str]:
    """Where `value` holds what the schema does not declare or lacks what it requires."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if "anyOf" in node and isinstance(value, dict):
        node = next(option for option in node["anyOf"] if "$ref" in option)
        yield from undeclared(value, node, schema, path)
    elif "properties" in node:
        yield from (f"{path}.{name}" for name in value.keys() - node["properties"].keys())
        yield from (f"{path}.{name}" for name in set(node["required"]) - value.keys())
        for name in value.keys() & node["properties"].keys():
            yield from undeclared(value[name], node["properties"][name], schema, f"{path}.{name}")
    elif isinstance(value, list) and "items" in node:
        for index, item in enumerate(value):
            yield from undeclared(item, node["items"], schema, f"{path}.{index}")


def test_published_schema_is_that_of_the_models() -> None:
    assert PUBLISHED.read_text() == predicate_schema(), (
        "write engine.evidence.schema.predicate_schema() to docs/schemas, "
        "and see that fields were only added"
    )


def test_is_identified_by_the_predicate_type() -> None:
    schema = json.loads(PUBLISHED.read_text())
    assert schema["$id"] == PREDICATE_TYPE
    assert PUBLISHED.stem.removeprefix("promotion-predicate-") == PREDICATE_TYPE.rpartition("/")[2]


def test_every_field_is_explained() -> None:
    schema = json.loads(PUBLISHED.read_text())
    unexplained = [
        f"{owner['title']}.{name}"
        for owner in objects(schema)
        for name, field in owner.get("properties", {}).items()
        if not field.get("description")
    ]
    assert unexplained == []


@pytest.mark.parametrize("evidence", [allowed(), denied()])
def test_statements_hold_what_the_schema_declares(evidence: EvidenceInput) -> None:
    schema = json.loads(PUBLISHED.read_text())
    predicate = json.loads(build_statement(evidence))["predicate"]
    assert list(undeclared(predicate, schema, schema)) == []
