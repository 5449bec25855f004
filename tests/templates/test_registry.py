from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.errors import InputError
from engine.model.base import Json
from engine.model.strategy import Rolling
from engine.templates import registry
from engine.templates.nodes.deploy import DeployInputs


def test_the_built_in_types_are_known() -> None:
    assert registry.names() == (
        "approval",
        "command",
        "deploy",
        "http",
        "include",
        "notify",
        "plugin",
        "security-check",
        "verify",
        "wait",
    )


@pytest.mark.parametrize("name", registry.names())
def test_each_type_is_found_under_its_own_name(name: str) -> None:
    assert registry.get(name).type == name


@pytest.mark.parametrize("name", ["approval", "deploy", "security-check"])
def test_what_the_environment_says_already_needs_no_inputs(name: str) -> None:
    registry.get(name).inputs.model_validate({})


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'deplyo'.*known types: approval, command") as caught:
        registry.get("deplyo")
    assert caught.value.field == "type"


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("security-check", {"max_critical": 1, "max_high": None}),
        ("approval", {"required": 2, "groups": ["leads"], "timeout": "4h"}),
        ("deploy", {"strategy": {"type": "rolling", "batch_size": "25%"}}),
    ],
)
def test_sound_inputs_pass(name: str, inputs: dict[str, Json]) -> None:
    registry.get(name).inputs.model_validate(inputs)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("security-check", {"max_critical": -1}),
        ("approval", {"required": 2}),
        ("approval", {"timeout": "4h"}),
        ("deploy", {"strategy": {"type": "canary"}}),
        ("deploy", {"strategy": "rolling"}),
        ("deploy", {"batch_size": 2}),
    ],
)
def test_unsound_inputs_are_refused(name: str, inputs: dict[str, Json]) -> None:
    with pytest.raises(ValidationError):
        registry.get(name).inputs.model_validate(inputs)


def test_a_deploys_strategy_is_typed() -> None:
    inputs = DeployInputs.model_validate({"strategy": {"type": "rolling", "batch_size": 2}})
    assert inputs.strategy == Rolling(batch_size=2)
