from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.model.base import Json
from engine.model.template import Node, Parameter, ParameterType, Template
from engine.templates.parameters import resolve
from engine.templates.validate import check


def template(**parameters: Parameter) -> Template:
    return Template(name="t", parameters=parameters, nodes=(Node(id="a", type="deploy"),))


def test_the_request_counts_before_the_environment_and_that_before_the_default() -> None:
    three = template(**{name: Parameter(default="default") for name in ("a", "b", "c")})
    environment: dict[str, Json] = {"a": "environment", "b": "environment"}
    assert resolve(three, environment, {"a": "request"}) == {
        "a": "request",
        "b": "environment",
        "c": "default",
    }


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        ("string", ["", "x", "3"], [3, True, None, ["x"], {}]),
        ("integer", [0, -3, 10], [3.5, True, "3", None]),
        ("number", [0, 0.5], [True, "0.5", None]),
        ("boolean", [True, False], [0, "true", None]),
        ("duration", ["15m", "1h30m", "0s", "PT5M"], ["soon", 15, "-5m", None]),
        ("list", [[], [1, "x"]], ["x", {}, None]),
        ("map", [{}, {"a": 1}], [[], "x", None]),
    ],
)
def test_a_value_has_the_parameters_type(type: str, good: list[Json], bad: list[Json]) -> None:
    typed = template(p=Parameter(type=ParameterType(type)))
    for value in good:
        assert resolve(typed, {}, {"p": value}) == {"p": value}
    for value in bad:
        with pytest.raises(InputError, match="must be") as raised:
            resolve(typed, {"p": value}, {})
        assert raised.value.field == "parameters.p"
        assert raised.value.remedy


def test_only_choices_are_taken() -> None:
    chosen = template(p=Parameter(choices=("a", "b"), default="a"))
    assert resolve(chosen, {}, {"p": "b"}) == {"p": "b"}
    with pytest.raises(InputError, match=r'is "c", which is none of its choices; use one of "a"'):
        resolve(chosen, {}, {"p": "c"})


def test_all_that_is_wrong_is_told_at_once() -> None:
    two = template(url=Parameter(description="where"), count=Parameter(type=ParameterType.INTEGER))
    with pytest.raises(InputError) as raised:
        resolve(two, {"cuont": 3}, {"count": "x"})
    told = str(raised.value)
    assert "3 problems" in told
    assert (
        "parameters.cuont: the template 't' has no parameter 'cuont' (did you mean 'count'" in told
    )
    assert "parameters.url: has no value" in told
    assert "give text (where)" in told


@pytest.mark.parametrize(
    ("declared", "path", "words"),
    [
        (Parameter(type=ParameterType.INTEGER, default="x"), "default", "must be a whole number"),
        (Parameter(choices=("a",), default="b"), "default", "none of its choices"),
        (Parameter(type=ParameterType.NUMBER, choices=(1, "b")), "choices.1", "must be a number"),
        (Parameter(default="${{ release.name }}"), "default", "taken as it stands"),
    ],
)
def test_a_declaration_must_not_contradict_itself(
    declared: Parameter, path: str, words: str
) -> None:
    with pytest.raises(InputError, match=words) as raised:
        check(template(p=declared))
    assert raised.value.field == f"template.t.parameters.p.{path}"
