from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.expressions.interpolation import has_expressions, is_rendered_later, parts_of, place


def pieces(text: str) -> list[tuple[str, bool]]:
    return [(part.text, part.is_expression) for part in parts_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("plain", [("plain", False)]),
        ("${{ a }}", [("a", True)]),
        ("${{a}}", [("a", True)]),
        ("x ${{ a }} y", [("x ", False), ("a", True), (" y", False)]),
        ("${{ a }}${{ b }}", [("a", True), ("b", True)]),
        ("$${{ a }}", [("${{ a }}", False)]),
        ("$${{ a }} ${{ b }}", [("${{ a }} ", False), ("b", True)]),
        ("$ {{ a }} ${ b }", [("$ {{ a }} ${ b }", False)]),
        # Braces and quotes within the expression do not end it.
        ("${{ {'a': {'b': 1}} }}", [("{'a': {'b': 1}}", True)]),
        ("${{ {'a': {'b': 1}}}}", [("{'a': {'b': 1}}", True)]),
        ("${{ '}}' + \"}}\" }}!", [("'}}' + \"}}\"", True), ("!", False)]),
        (r"${{ 'it\'s }}' }}", [(r"'it\'s }}'", True)]),
        (r"${{ r'\' }}", [(r"r'\'", True)]),
        ("${{ '''a ' }} b''' }}", [("'''a ' }} b'''", True)]),
        ("${{ a // }} not yet\n }}", [("a // }} not yet", True)]),
        ("${{ '${{' }}", [("'${{'", True)]),
        # What is no expression in itself is told when it is compiled.
        ("${{ 'a }}", [("'a", True)]),
    ],
)
def test_a_text_is_taken_apart(text: str, expected: list[tuple[str, bool]]) -> None:
    assert pieces(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a ${{ b", "line 1, column 3: an expression begins here and does not end"),
        ("${{ {'a': 1 }}", "line 1, column 1: an expression begins here and does not end"),
        ("a\nb ${{  }}", "line 2, column 3: an expression is empty"),
    ],
)
def test_what_is_malformed_is_told_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        parts_of(text, "inputs.text")
    assert (raised.value.field, raised.value.problem) == ("inputs.text", problem)
    assert raised.value.remedy


def test_an_expression_knows_where_it_begins() -> None:
    text = "a\n  ${{   b }}"
    (_, expression) = parts_of(text)
    assert text[expression.at] == "b"
    assert place(text, expression.at) == "line 2, column 9"


@given(st.text().filter(lambda text: "${{" not in text))
def test_other_text_is_kept_as_it_is(text: str) -> None:
    assert not has_expressions(text)
    assert pieces(text) == ([(text, False)] if text else [])


@given(st.text(alphabet="${} a'\"\n\\/", max_size=30))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    try:
        parts = parts_of(text)
    except InputError:
        return
    for part in parts:
        assert not part.is_expression or text.startswith(part.text, part.at)


def test_data_holds_expressions_wherever_they_are_nested() -> None:
    assert is_rendered_later({"a": [1, {"b": "x ${{ y }}"}]})
    assert not is_rendered_later({"a": [1, {"b": "x $${{ y }}", "${{ z }}": None}]})
