from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from engine.documents.yaml import read
from engine.policy.schema import policy_test_schema

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "policy-test.yaml"


def test_the_published_schema_is_that_of_the_models() -> None:
    published = json.loads((ROOT / "docs/schemas/policy-test-file.json").read_text())
    assert published == policy_test_schema()


def test_the_example_is_valid_by_the_schema_and_a_misspelt_one_is_not() -> None:
    schema = policy_test_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    data = read(EXAMPLE).data
    assert list(validator.iter_errors(data)) == []
    assert isinstance(data, dict)
    misspelt = {**data, "case": data["cases"]}
    assert [error.validator for error in validator.iter_errors(misspelt)] == [
        "additionalProperties"
    ]
