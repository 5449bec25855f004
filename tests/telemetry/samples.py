"""Trace contexts and spans, single ones and Hypothesis strategies of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from engine.model.failure import Failure
from engine.telemetry.propagation import TraceContext
from engine.telemetry.record import SpanEvent, SpanKind, SpanLink, SpanRecord

CONTEXT = TraceContext(
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    span_id="00f067aa0ba902b7",
    sampled=True,
    trace_state="vendor=opaque",
    baggage={"build.number": "17", "branch": "größe/ü 1"},
)
TRACEPARENT = f"00-{CONTEXT.trace_id}-{CONTEXT.span_id}-01"
BAGGAGE = "build.number=17,branch=gr%C3%B6%C3%9Fe/%C3%BC%201"
START = datetime(2026, 3, 2, 9, 30, 0, 123_457, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
trace_ids = st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}")
span_ids = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")

_state_keys = st.from_regex(r"[a-z][a-z0-9_*/-]{0,20}(@[a-z][a-z0-9]{0,5})?", fullmatch=True)
_state_values = st.from_regex(r"[ -+\--<>-~]{0,20}[!-+\--<>-~]", fullmatch=True)
trace_states = st.dictionaries(
    # A member's own blanks at its beginning are not told apart from those around it.
    _state_keys,
    _state_values,
    max_size=32,
).map(lambda members: ",".join(f"{key}={value}" for key, value in members.items()))

_stripped = texts.map(str.strip)
baggages = st.dictionaries(_stripped.filter(bool), _stripped, max_size=6)

contexts = st.builds(
    TraceContext,
    trace_id=trace_ids,
    span_id=span_ids,
    sampled=st.booleans(),
    trace_state=trace_states,
    baggage=baggages,
)

_attribute_values = (
    texts
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.lists(texts, max_size=4).map(tuple)
)
_attributes = st.dictionaries(texts.filter(bool), _attribute_values, max_size=5)
_times = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
_durations = st.timedeltas(timedelta(0), timedelta(days=400))
_events = st.builds(SpanEvent, name=texts, at=_times, attributes=_attributes)
_links = st.builds(
    SpanLink,
    trace_id=trace_ids,
    span_id=span_ids,
    trace_state=trace_states,
    attributes=_attributes,
)
_failures = st.builds(
    Failure, type=texts.filter(bool), message=texts.filter(bool), stacktrace=texts
)


@st.composite
def spans(draw: st.DrawFn) -> SpanRecord:
    started_at = draw(_times)
    return SpanRecord(
        trace_id=draw(trace_ids),
        span_id=draw(span_ids),
        parent_span_id=draw(st.none() | span_ids),
        trace_state=draw(trace_states),
        name=draw(texts),
        kind=draw(st.sampled_from(SpanKind)),
        started_at=started_at,
        ended_at=started_at + draw(_durations),
        attributes=draw(_attributes),
        events=tuple(draw(st.lists(_events, max_size=3))),
        links=tuple(draw(st.lists(_links, max_size=2))),
        failure=draw(st.none() | _failures),
    )


def numbered(count: int) -> list[SpanRecord]:
    """So many finished spans, told apart by their ids and by the attribute `number`."""
    return [
        SpanRecord(
            trace_id=CONTEXT.trace_id,
            span_id=f"{number + 1:016x}",
            name="agent.task.pull",
            started_at=START,
            ended_at=START + timedelta(seconds=1),
            attributes={"number": number},
        )
        for number in range(count)
    ]
