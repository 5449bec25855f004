"""The JSON Schemas in docs/ are those of the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.documents.schema import environment_schema, release_schema, template_schema

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("environment-file.json", environment_schema()),
        ("release-file.json", release_schema()),
        ("template-file.json", template_schema()),
    ],
)
def test_published_schema_is_that_of_the_models(name: str, schema: dict[str, object]) -> None:
    assert json.loads((SCHEMAS / name).read_text()) == schema
