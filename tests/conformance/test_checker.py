"""The checker itself: every kind of damage to a correct trace is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.conformance.checker import SKEW_NS, SPEC, TYPES, UUIDS, VALUES, deviations, rule_for
from tests.harness.receiver import Plain, Received
from tests.replay.test_spans import PROMOTIONS, exported

RESOURCE: dict[str, Plain] = {
    "service.name": "stella-release-orchestrator",
    "service.namespace": "stella-ops",
    "service.version": "1",
    "deployment.environment": "test",
    "deployment.environment.name": "test",
}


def trace(kind: str) -> list[Received]:
    directory = next(path for path in PROMOTIONS if path.name == kind)
    return [replace(span, resource=RESOURCE) for span in exported(directory)]


ALLOWED, FAILED, RETRIED = trace("allowed"), trace("failed"), trace("retried")
TRACES = {path.name: trace(path.name) for path in PROMOTIONS}

traces = st.sampled_from([ALLOWED, FAILED, RETRIED])
places = st.integers(0, 10**6)


def pick(spans: list[Received], place: int) -> Received:
    return spans[place % len(spans)]


def instead(spans: list[Received], old: Received, **changes: object) -> list[Received]:
    """The trace with one span changed."""
    changed: dict[str, Any] = dict(changes)
    return [replace(span, **changed) if span is old else span for span in spans]


def first(spans: list[Received], name: str) -> Received:
    return next(span for span in spans if span.name == name)


def required(span: Received) -> set[str]:
    rule = rule_for(span.name)
    assert rule is not None
    extra = rule.get("extra", {})
    own = [] if span.name == "gate.freeze_window" else extra.get(span.name, [])
    common = set(SPEC["common_attributes"]) - {"error.type"}
    return {*common, *rule["attributes"], *extra.get("all", []), *own}


@pytest.mark.parametrize("kind", TRACES)
def test_a_correct_trace_has_no_deviation(kind: str) -> None:
    assert deviations(TRACES[kind]) == []


@given(traces, places)
def test_a_missing_span_with_children_is_found(spans: list[Received], place: int) -> None:
    gone = pick(spans, place)
    assume(any(span.parent_span_id == gone.span_id for span in spans))
    left = [span for span in spans if span is not gone]
    assert any("is an orphan" in line for line in deviations(left))


@given(traces, places, places)
def test_a_wrong_parent_is_found(spans: list[Received], place: int, other: int) -> None:
    span, parent = pick(spans, place), pick(spans, other)
    assume(span.parent_span_id)
    rule = rule_for(span.name)
    assert rule is not None
    assume(parent.name != rule["parent"])
    found = deviations(instead(spans, span, parent_span_id=parent.span_id))
    assert any(f"{span.name}: its parent is" in line for line in found)


@given(traces, places, st.text("abcdef", min_size=1, max_size=12))
def test_a_name_that_the_specification_lacks_is_found(
    spans: list[Received], place: int, name: str
) -> None:
    span = pick(spans, place)
    assert f"{name}: no such span in the specification" in deviations(
        instead(spans, span, name=name)
    )


@given(traces, places, st.data())
def test_any_missing_attribute_is_found(
    spans: list[Received], place: int, data: st.DataObject
) -> None:
    span = pick(spans, place)
    key = data.draw(st.sampled_from(sorted(required(span))))
    left = {name: value for name, value in span.attributes.items() if name != key}
    assert f"{span.name}: lacks {key}" in deviations(instead(spans, span, attributes=left))


WRONG: dict[type, list[Plain]] = {
    bool: ["true", 1, 0.0],
    int: [True, 1.0, "1"],
    float: [1, "1.5"],
    list: ["security"],
}


@given(traces, places, st.data())
def test_any_ill_typed_attribute_is_found(
    spans: list[Received], place: int, data: st.DataObject
) -> None:
    span = pick(spans, place)
    typed: dict[str, Any] = {**TYPES, "error": bool}
    key = data.draw(st.sampled_from(sorted(span.attributes.keys() & typed.keys())))
    value = data.draw(st.sampled_from(WRONG[typed[key]]))
    found = deviations(instead(spans, span, attributes={**span.attributes, key: value}))
    assert f"{span.name}: {key} is a {type(value).__name__}" in found


@given(traces, places, st.data(), st.text(max_size=40))
def test_an_id_that_is_no_uuid_or_a_value_out_of_its_set_is_found(
    spans: list[Received], place: int, data: st.DataObject, text: str
) -> None:
    span = pick(spans, place)
    assume(not any(letter in "0123456789abcdef" for letter in text.lower()))
    key = data.draw(st.sampled_from(sorted(span.attributes.keys() & {*UUIDS, *VALUES})))
    found = deviations(instead(spans, span, attributes={**span.attributes, key: text}))
    problem = f"{key} is no UUID: {text!r}" if key in UUIDS else f"{key} is {text!r}"
    assert f"{span.name}: {problem}" in found


@given(traces, places, st.integers(1, 10**15), st.booleans())
def test_a_child_outside_of_its_parents_time_is_found(
    spans: list[Received], place: int, beyond: int, early: bool
) -> None:
    span = pick(spans, place)
    assume(span.parent_span_id)
    parent = next(one for one in spans if one.span_id == span.parent_span_id)
    changes = (
        {"start": parent.start - SKEW_NS - beyond}
        if early
        else {"end": parent.end + SKEW_NS + beyond}
    )
    found = deviations(instead(spans, span, **changes))
    assert any(f"{span.name}: lies outside of its parent's time" in line for line in found)


@given(traces, places, st.integers(1, 10**15))
def test_an_end_before_the_start_is_found(spans: list[Received], place: int, earlier: int) -> None:
    span = pick(spans, place)
    found = deviations(instead(spans, span, end=span.start - earlier))
    assert f"{span.name}: ends before it starts" in found


@given(traces, places, st.booleans())
def test_a_span_that_came_twice_is_found_with_the_same_and_with_another_content(
    spans: list[Received], place: int, same: bool
) -> None:
    span = pick(spans, place)
    again = span if same else replace(span, end=span.end + 1)
    assert f"span id {span.span_id} came 2 times" in deviations([*spans, again])


@given(traces, places)
def test_a_foreign_trace_id_is_found(spans: list[Received], place: int) -> None:
    assert "2 traces" in deviations(instead(spans, pick(spans, place), trace_id="ab" * 16))


@given(traces, places)
def test_a_failure_told_by_half_is_found(spans: list[Received], place: int) -> None:
    span = pick(spans, place)
    turned = not span.attributes["error"]
    attributes: dict[str, Plain] = {**span.attributes, "error": turned}
    found = deviations(instead(spans, span, attributes=attributes))
    assert f"{span.name}: error.type is there exactly when error is true, but not here" in found
    assert f"{span.name}: status code {span.status_code} with error={turned}" in found
    count = len([event for event in span.events if event[0] == "exception"])
    assert f"{span.name}: {count} exception events with error={turned}" in found


@given(traces, places, st.sampled_from(sorted(RESOURCE)))
def test_a_resource_that_lacks_something_is_found(
    spans: list[Received], place: int, key: str
) -> None:
    span = pick(spans, place)
    left = {name: value for name, value in RESOURCE.items() if name != key}
    found = deviations(instead(spans, span, resource=left))
    assert any(line.startswith(f"{span.name}: resource") and key in line for line in found)


def broken(spans: list[Received]) -> Received:
    return next(span for span in spans if span.attributes["error"])


DAMAGE: dict[str, Callable[[], list[Received]]] = {
    "2 spans promotion.request": lambda: [
        *ALLOWED,
        replace(first(ALLOWED, "promotion.request"), span_id="ab" * 8),
    ],
    "0 spans promotion.request": lambda: [
        span for span in ALLOWED if span.name != "promotion.request"
    ],
    "promotion.request: its parent is 'abababababababab'": lambda: instead(
        ALLOWED, first(ALLOWED, "promotion.request"), parent_span_id="ab" * 8
    ),
    "promotion.request: kind CLIENT, not INTERNAL": lambda: instead(
        ALLOWED, first(ALLOWED, "promotion.request"), kind="CLIENT"
    ),
    "the main path ran in the order": lambda: instead(
        ALLOWED,
        first(ALLOWED, "evidence.sign"),
        start=first(ALLOWED, "promotion.evaluate_gates").start - 1,
    ),
    "its exception event lacks exception.stacktrace": lambda: instead(
        FAILED,
        broken(FAILED),
        events=[("exception", 1, {"exception.type": "E", "exception.message": "m"})],
    ),
    "its status has no description": lambda: instead(FAILED, broken(FAILED), status_message=""),
    "is linked to itself": lambda: instead(
        ALLOWED,
        ALLOWED[0],
        links=[(ALLOWED[0].trace_id, ALLOWED[0].span_id, {"promotion.link": "rolled_back"})],
    ),
    "its link previous_attempt leads out of the trace": lambda: instead(
        RETRIED,
        linked(RETRIED),
        links=[(RETRIED[0].trace_id, "ab" * 8, {"promotion.link": "previous_attempt"})],
    ),
    "its link is a 'cousin'": lambda: instead(
        ALLOWED, ALLOWED[0], links=[("ab" * 16, "cd" * 8, {"promotion.link": "cousin"})]
    ),
    "its link leads nowhere": lambda: instead(
        ALLOWED, ALLOWED[0], links=[("0" * 32, "cd" * 8, {"promotion.link": "rolled_back"})]
    ),
}


def linked(spans: list[Received]) -> Received:
    return next(span for span in spans if span.links)


@pytest.mark.parametrize("told", DAMAGE)
def test_this_damage_is_found(told: str) -> None:
    assert any(told in line for line in deviations(DAMAGE[told]()))


def test_a_caller_is_asked_for() -> None:
    found = deviations(ALLOWED, caller_span_id="ab" * 8)
    assert "promotion.request: kind INTERNAL, not SERVER" in found
    assert any("its parent is ''" in line for line in found)
