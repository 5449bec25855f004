from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.cli.diff import differences
from engine.model.base import Json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "name", "id"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_there_are_differences_exactly_when_the_values_differ(before: Json, after: Json) -> None:
    assert bool(differences(before, after)) is (before != after)


def test_each_place_is_named() -> None:
    before: Json = {"gates": [{"name": "scan", "config": {"max": 0}}], "order": 1, "gone": True}
    after: Json = {"gates": [{"name": "scan", "config": {"max": 2}}], "order": 1, "new": "x"}

    assert differences(before, after) == [
        "~ gates[scan].config.max: 0 -> 2",
        "- gone: true",
        '+ new: "x"',
    ]


def test_named_items_are_compared_by_name_and_not_by_place() -> None:
    before: Json = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    after: Json = [{"name": "b", "port": 2}, {"name": "c", "port": 1}]

    assert differences(before, after) == [
        '- [a]: {"name": "a", "port": 1}',
        '+ [c]: {"name": "c", "port": 1}',
    ]


def test_another_order_is_a_difference() -> None:
    before: Json = {"targets": [{"name": "a"}, {"name": "b"}]}
    after: Json = {"targets": [{"name": "b"}, {"name": "a"}]}

    assert differences(before, after) == ["~ targets: in another order"]


def test_large_values_are_shortened() -> None:
    (line,) = differences({"a": "x" * 500}, {"a": 1})
    assert len(line) < 100
