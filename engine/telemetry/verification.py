"""A trace held against the specification: every deviation in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from engine.telemetry import names
from engine.telemetry.record import SpanRecord
from engine.telemetry.specification import SpanRule, main_path, rule_for

CLOCK_SKEW = timedelta(milliseconds=50)
"""How far a child may lie outside of its parent, since their machines' clocks differ."""


def deviations(spans: Sequence[SpanRecord]) -> list[str]:
    """Everything in which a whole trace departs from the specification; empty when it conforms."""
    found = list(_of_trace(spans))
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        rule = rule_for(span.name)
        if rule is None:
            found.append(f"{_named(span)}: the specification has no such span")
            continue
        problems = (
            *_of_attributes(span, rule),
            *_of_failure(span),
            *_of_place(span, rule, by_id),
            *_of_links(span, by_id),
        )
        found += [f"{_named(span)}: {problem}" for problem in problems]
    return found


def _of_trace(spans: Sequence[SpanRecord]) -> Iterator[str]:
    traces = {span.trace_id for span in spans}
    if len(traces) != 1:
        yield f"the spans are of {len(traces)} traces"
    for span_id, count in Counter(span.span_id for span in spans).items():
        if count > 1:
            yield f"{count} spans have the id {span_id}"
    roots = sum(span.name == names.PROMOTION_REQUEST for span in spans)
    if roots != 1:
        yield f"there are {roots} spans {names.PROMOTION_REQUEST}"
    on_path = [span for span in spans if span.name in main_path()]
    ran = [span.name for span in sorted(on_path, key=lambda span: span.started_at)]
    wanted = [name for name in main_path() if name in ran]
    if ran != wanted:
        yield f"the main path ran as {', '.join(ran)}, not as {', '.join(wanted)}"


def _of_attributes(span: SpanRecord, rule: SpanRule) -> Iterator[str]:
    for key in sorted(rule.required(span.name) - span.attributes.keys()):
        yield f"lacks the attribute {key}"
    if type(span.attributes.get(names.ERROR)) is not bool:
        yield f"the attribute {names.ERROR} is no bool"


def _of_failure(span: SpanRecord) -> Iterator[str]:
    failed = span.failure is not None
    if span.attributes.get(names.ERROR) is not failed:
        yield f"the attribute {names.ERROR} does not agree with its status"
    if (names.ERROR_TYPE in span.attributes) is not failed:
        yield f"the attribute {names.ERROR_TYPE} is there exactly for failures, but not here"


def _of_place(span: SpanRecord, rule: SpanRule, by_id: dict[str, SpanRecord]) -> Iterator[str]:
    if span.ended_at is None:
        yield "has not ended"
    if rule.kind is not None and span.kind.value != rule.kind:
        yield f"is of kind {span.kind.value}, not {rule.kind}"
    if rule.parent is None:
        return
    parent = by_id.get(span.parent_span_id or "")
    if parent is None:
        yield "is an orphan"
        return
    if not rule.is_below(parent.name):
        yield f"is below {parent.name}, not below {rule.parent}"
    early = span.started_at < parent.started_at - CLOCK_SKEW
    late = (
        span.ended_at is not None
        and parent.ended_at is not None
        and span.ended_at > parent.ended_at + CLOCK_SKEW
    )
    if early or late:
        yield f"lies outside of the time of {parent.name}"


def _of_links(span: SpanRecord, by_id: dict[str, SpanRecord]) -> Iterator[str]:
    for link in span.links:
        relation = link.attributes.get(names.LINK)
        if (link.trace_id, link.span_id) == (span.trace_id, span.span_id):
            yield "is linked to itself"
        elif relation in names.LINKS_WITHIN and link.span_id not in by_id:
            yield f"its link {relation} leads to {link.span_id}, which the trace does not have"


def _named(span: SpanRecord) -> str:
    return f"{span.name} ({span.span_id})"
