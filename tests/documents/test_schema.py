from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from engine.documents.environment_file import load_environments
from engine.documents.schema import environment_schema, release_schema
from engine.documents.yaml import read
from tests.documents.files import ENVIRONMENTS, problem_of, written
from tests.documents.test_release_file import RELEASE


def problems(schema: dict[str, Any], data: object) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema).iter_errors(data)]


@pytest.mark.parametrize("schema", [environment_schema(), release_schema()])
def test_a_schema_is_valid_and_plain_json(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)

    assert json.loads(json.dumps(schema)) == schema


def test_files_that_load_fit_the_schema(tmp_path: Path) -> None:
    assert problems(environment_schema(), read(written(tmp_path, ENVIRONMENTS)).data) == []
    assert problems(release_schema(), read(written(tmp_path, RELEASE)).data) == []


@pytest.mark.parametrize(
    ("changed", "to", "path"),
    [
        ("name: staging", "name: Staging", "$.environments[0].name"),
        ("agent: west", "agnet: west", "$.environments[0].targets[1]"),
        ("type: security", "type: securty", "$.environments[1].gates[0].type"),
        ("required: 2", "required: 0", "$.environments[1].gates[2].config.required"),
        ("required: 2", "requird: 2", "$.environments[1].gates[2].config"),
        ("timeout: 72h", "timeout: soon", "$.environments[1].gates[1].config.timeout"),
        ("batch_size: 50%", "batch_size: 0%", "$.environments[1].strategy"),
        ("health: {url:", "health: {ulr:", "$.environments[0].targets[0].config.health"),
        ("agent: west", "agent: west, driver: teleport", "$.environments[0].targets[1].driver"),
    ],
)
def test_mistakes_that_the_loader_refuses_do_not_fit_the_schema(
    tmp_path: Path, changed: str, to: str, path: str
) -> None:
    file = written(tmp_path, ENVIRONMENTS.replace(changed, to, 1))

    found = problems(environment_schema(), YAML(typ="safe", pure=True).load(file))

    assert path in found
    assert "file.yaml:" in str(problem_of(lambda: load_environments(file)))
