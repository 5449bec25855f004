from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from engine.documents.environment_file import load_environments
from engine.documents.lint import lint
from engine.documents.schema import environment_schema, release_schema, template_schema
from engine.documents.yaml import read
from tests.documents.files import ENVIRONMENTS, problem_of, written
from tests.documents.malformed import ENVIRONMENT, TEMPLATE
from tests.documents.test_release_file import RELEASE


def problems(schema: dict[str, Any], data: object) -> list[str]:
    return [error.json_path for error in Draft202012Validator(schema).iter_errors(data)]


@pytest.mark.parametrize("schema", [environment_schema(), release_schema(), template_schema()])
def test_a_schema_is_valid_and_plain_json(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)

    assert json.loads(json.dumps(schema)) == schema


def test_files_that_load_fit_the_schema(tmp_path: Path) -> None:
    assert problems(environment_schema(), read(written(tmp_path, ENVIRONMENTS)).data) == []
    assert problems(environment_schema(), read(written(tmp_path, ENVIRONMENT)).data) == []
    assert problems(release_schema(), read(written(tmp_path, RELEASE)).data) == []
    assert problems(template_schema(), read(written(tmp_path, TEMPLATE)).data) == []


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


@pytest.mark.parametrize(
    ("changed", "to", "path"),
    [
        ("needs: [ship]", "neds: [ship]", "$.nodes[2]"),
        ("type: verify", "type: verfy", "$.nodes[2].type"),
        ("batch_size: 10%", "batch_size: 0%", "$.nodes[1].inputs.strategy"),
        ("name: health", "nam: health", "$.nodes[2].inputs.checks"),
        ("type: string", "type: text", "$.parameters.url.type"),
        ("needs: [check]", "within: [{node: x}]", "$.nodes[1]"),
        ("needs: [check]", "on_rollback: {type: deploy}", "$.nodes[1].on_rollback"),
        ("needs: [check]", "on_rollback: {type: http, inputs: {ulr: x}}", "$.nodes[1].on_rollback"),
    ],
)  # fmt: skip
def test_mistakes_in_a_template_do_not_fit_the_schema(
    tmp_path: Path, changed: str, to: str, path: str
) -> None:
    assert TEMPLATE.count(changed) == 1
    file = written(tmp_path, TEMPLATE.replace(changed, to))

    found = problems(template_schema(), YAML(typ="safe", pure=True).load(file))

    assert any(each.startswith(path) for each in found), found
    ((_, error),) = lint([file])
    assert error is not None


@pytest.mark.parametrize(
    "batch_size", ["${{ params.size }}", "${{ params.size }}%", "10%", "3"], ids=str
)
def test_an_expression_fits_wherever_a_value_does(tmp_path: Path, batch_size: str) -> None:
    file = written(
        tmp_path,
        TEMPLATE.replace("batch_size: 10%", f'batch_size: "{batch_size}"').replace(
            "  url:", "  size: {type: string}\n  url:"
        ),
    )
    fits = problems(template_schema(), YAML(typ="safe", pure=True).load(file)) == []
    # As text a bare number is no batch size to an editor.
    assert fits is (batch_size != "3")
    ((_, error),) = lint([file])
    assert error is None
