from __future__ import annotations

import pytest

from engine.model.base import Json
from engine.plugins.schema import fault, problems

SOUND: dict[str, Json] = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "pattern": "^https://"},
        "limit": {"$ref": "#/$defs/count"},
        "people": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["url"],
    "additionalProperties": False,
    "$defs": {"count": {"type": "integer", "minimum": 1}},
}


@pytest.mark.parametrize("schema", [{}, SOUND, {"$ref": "#/$defs/a", "$defs": {"a": {}}}])
def test_a_sound_schema_has_no_fault(schema: dict[str, Json]) -> None:
    assert fault(schema) == ""


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "objec"}, "type: 'objec'"),
        ({"properties": []}, "properties: "),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "draft 2020-12"),
        ({"type": "array"}, "'object'"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "/$defs/none"),
        ({"properties": {"a": {"$ref": "https://example.com/s.json"}}}, "example.com"),
        ({"properties": {"a": {"pattern": "("}}}, "is not a 'regex'"),
        ({"$ref": "#"}, "without an end"),
    ],
)
def test_a_schema_that_inputs_cannot_be_held_against_is_told(
    schema: dict[str, Json], told: str
) -> None:
    assert told in fault(schema)


@pytest.mark.parametrize(
    ("inputs", "location"),
    [
        ({"limit": 1}, ()),
        ({"url": "ftp://a"}, ("url",)),
        ({"url": "https://a", "limit": 0}, ("limit",)),
        ({"url": "https://a", "people": ["b", 1]}, ("people", 1)),
        ({"url": "https://a", "lmit": 1}, ()),
    ],
)
def test_inputs_that_do_not_fit_are_told_by_place(
    inputs: dict[str, Json], location: tuple[str | int, ...]
) -> None:
    (found,) = problems(SOUND, inputs)
    assert found.location == location


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(problems(SOUND, {"limit": "many", "lmit": 1})) == 3


def test_a_value_that_is_not_settled_may_become_anything_but_keys_stay_keys() -> None:
    def settled(value: object) -> bool:
        return "${{" not in str(value)

    open_inputs: dict[str, Json] = {"url": "${{ parameters.url }}", "limit": "${{ 1 + 1 }}"}
    assert problems(SOUND, open_inputs, settled) == []
    assert len(problems(SOUND, {**open_inputs, "lmit": 1}, settled)) == 1
    assert len(problems(SOUND, {"limit": "${{ 1 }}"}, settled)) == 1
    assert len(problems(SOUND, {**open_inputs, "people": 3}, settled)) == 1
