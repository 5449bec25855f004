from __future__ import annotations

import pytest

from engine.expressions.language import Scope, compiled
from engine.expressions.syntax import place_in, references

Mention = tuple[str, str | None, int]


def mentions(text: str) -> list[Mention]:
    found = references(compiled(text, Scope.NODE).checked)
    return [(each.variable, each.key, each.at) for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes.deploy.outputs.url", [("nodes", "deploy", 0)]),
        ("nodes['my-node'].status", [("nodes", "my-node", 0)]),
        ("nodes.?gone.?outputs.orValue({})", [("nodes", "gone", 0)]),
        ("nodes[?'gone'].hasValue()", [("nodes", "gone", 0)]),
        ("'x' in params", [("params", "x", 7)]),
        ("has(params.x)", [("params", "x", 4)]),
        ("nodes[params.which].status", [("nodes", None, 0), ("params", "which", 6)]),
        ("size(nodes)", [("nodes", None, 5)]),
        ("params.a + [params.b][0]", [("params", "a", 0), ("params", "b", 12)]),
        ("{'k': params.v}", [("params", "v", 6)]),
        ("params.list.map(n, n + params.more)", [("params", "list", 0), ("params", "more", 23)]),
        ("promotion.reason.contains(params.word)",
         [("promotion", "reason", 0), ("params", "word", 26)]),
        ("'é' == params.x", [("params", "x", 7)]),
        ("true", []),
    ],
)  # fmt: skip
def test_every_mention_is_found_with_its_key_and_place(text: str, expected: list[Mention]) -> None:
    assert mentions(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2].exists(nodes, nodes > 1)",
        "cel.bind(params, {'a': 1}, params.a)",
        "[{'x': 1}].map(params, params.x)",
    ],
)
def test_a_name_that_the_expression_gives_itself_is_no_mention(text: str) -> None:
    assert mentions(text) == []


def test_a_name_is_the_expressions_own_only_where_it_gave_it() -> None:
    assert mentions("[1].all(params, params > 0) && params.x") == [("params", "x", 31)]


def test_a_mention_is_placed_by_line_and_column() -> None:
    text = "true &&\n  params.x"
    (found,) = references(compiled(text, Scope.NODE).checked)
    assert place_in(text, found) == "line 2, column 3"
