"""Spans over the wire, by both protocols, to a receiver that reads what OTLP says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource

from engine.errors import UnreachableError
from engine.model.failure import Failure
from engine.telemetry.export import OtlpSink, sink_from_environment, to_readable
from engine.telemetry.record import SpanEvent, SpanKind, SpanLink, SpanRecord
from engine.telemetry.resource import resource
from tests.harness.receiver import Plain, Received, Receiver, grpc_receiver, http_receiver
from tests.telemetry.collectors import refusing_endpoint
from tests.telemetry.samples import CONTEXT, START, numbered, spans

RECEIVERS = {"grpc": grpc_receiver, "http/protobuf": http_receiver}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNSET, ERROR = 0, 2


@pytest.fixture(params=sorted(RECEIVERS))
def protocol(request: pytest.FixtureRequest, otel_variables: pytest.MonkeyPatch) -> str:
    chosen: str = request.param
    otel_variables.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", chosen)
    return chosen


def sink_to(endpoint: str, exported: list[tuple[str, str]] | None = None) -> OtlpSink:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    try:
        sink = sink_from_environment(None if exported is None else exported.extend)
    finally:
        del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert sink is not None
    return sink


@contextmanager
def receiving(protocol: str) -> Iterator[tuple[Receiver, OtlpSink]]:
    with RECEIVERS[protocol]() as receiver:
        sink = sink_to(receiver.endpoint)
        try:
            yield receiver, sink
        finally:
            sink.shutdown()


def sent(protocol: str, records: Sequence[SpanRecord]) -> list[Received]:
    with receiving(protocol) as (receiver, sink):
        for record in records:
            sink.emit(record)
        sink.shutdown()
        return receiver.spans


def nanoseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def plain(attributes: dict[str, object]) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for key, value in attributes.items():
        assert isinstance(value, str | bool | int | float | tuple)
        found[key] = list(value) if isinstance(value, tuple) else value
    return found


def expected(span: SpanRecord) -> Received:
    assert span.ended_at is not None
    end = nanoseconds(span.ended_at)
    events = [
        (event.name, nanoseconds(event.at), plain(dict(event.attributes))) for event in span.events
    ]
    if span.failure is not None:
        exception: dict[str, Plain] = {
            "exception.type": span.failure.type,
            "exception.message": span.failure.message,
            "exception.stacktrace": span.failure.stacktrace,
        }
        events.append(("exception", end, exception))
    return Received(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id or "",
        trace_state=span.trace_state,
        name=span.name,
        kind=span.kind.value,
        start=nanoseconds(span.started_at),
        end=end,
        attributes=plain(dict(span.attributes)),
        events=events,
        links=[(link.trace_id, link.span_id, plain(dict(link.attributes))) for link in span.links],
        status_code=UNSET if span.failure is None else ERROR,
        status_message="" if span.failure is None else span.failure.message,
        resource=plain(dict(resource().attributes)),
    )


FULL = SpanRecord(
    trace_id=CONTEXT.trace_id,
    span_id="00f067aa0ba902b8",
    parent_span_id=CONTEXT.span_id,
    trace_state="z=1,a=2",
    name="agent.task.deploy",
    kind=SpanKind.CLIENT,
    started_at=START,
    ended_at=START + timedelta(days=12, microseconds=1),
    attributes={
        "text": "größe",
        "empty": "",
        "true": True,
        "false": False,
        "one": 1,
        "most": 2**63 - 1,
        "least": -(2**63),
        "float": 0.1,
        "whole": 2.0,
        "texts": ("b", "a", "a"),
        "none": (),
    },
    links=(
        SpanLink(
            trace_id="ab" * 16,
            span_id="cd" * 8,
            attributes={"promotion.link": "previous_environment", "one": 1, "of": ("x",)},
        ),
        SpanLink(trace_id=CONTEXT.trace_id, span_id="ef" * 8, trace_state="z=1"),
    ),
    events=(
        SpanEvent(name="task.started", at=START + timedelta(microseconds=3)),
        SpanEvent(name="again", at=START, attributes={"attempt": 2, "of": ("x",)}),
    ),
    failure=Failure(type="DriverError", message="no room: größe", stacktrace="in f\nin g"),
)


def test_a_span_with_everything_arrives_as_it_was(protocol: str) -> None:
    (received,) = sent(protocol, [FULL])
    assert received == expected(FULL)
    # Equality takes 1 for True and 2.0 for 2, which the backend does not.
    for key, value in plain(dict(FULL.attributes)).items():
        assert type(received.attributes[key]) is type(value), key


def test_any_span_arrives_as_it_was(protocol: str) -> None:
    with receiving(protocol) as (receiver, sink):

        @settings(max_examples=20, deadline=None)
        @given(st.lists(spans(), min_size=1, max_size=12))
        def check(records: list[SpanRecord]) -> None:
            receiver.spans.clear()
            sink.deliver(records)
            assert receiver.spans == [expected(record) for record in records]

        check()


@given(spans())
def test_times_are_kept_to_the_microsecond(span: SpanRecord) -> None:
    readable = to_readable(span, Resource({}))
    assert span.ended_at is not None
    assert readable.start_time == nanoseconds(span.started_at)
    assert readable.end_time == nanoseconds(span.ended_at)
    assert [event.timestamp for event in readable.events][: len(span.events)] == [
        nanoseconds(event.at) for event in span.events
    ]


@given(spans())
def test_status_and_exception_event_are_there_exactly_for_failures(span: SpanRecord) -> None:
    without_events = span.model_copy(update={"events": ()})
    readable = to_readable(without_events, Resource({}))
    failed = span.failure is not None
    assert readable.status.is_ok is not failed
    assert bool(readable.status.description) is failed
    assert [event.name for event in readable.events] == ["exception"] * failed


def test_a_span_that_has_not_ended_has_no_length() -> None:
    readable = to_readable(FULL.model_copy(update={"ended_at": None}), Resource({}))
    assert readable.end_time == readable.start_time == nanoseconds(START)


def test_the_scope_names_this_distribution() -> None:
    scope = to_readable(FULL, Resource({})).instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == (
        "promotion-engine",
        resource().attributes["service.version"],
    )


def test_the_resource_of_the_variables_arrives(
    protocol: str, otel_variables: pytest.MonkeyPatch
) -> None:
    otel_variables.setenv("OTEL_SERVICE_NAME", "mine")
    otel_variables.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=platform")
    otel_variables.setenv("ENVIRONMENT", "staging")
    (received,) = sent(protocol, [FULL])
    wanted = {"service.name": "mine", "team": "platform", "deployment.environment": "staging"}
    assert wanted.items() <= received.resource.items()


def test_delivering_returns_when_the_collector_has_taken_every_batch(protocol: str) -> None:
    records = numbered(2500)
    with receiving(protocol) as (receiver, sink):
        sink.deliver(records)
        assert [span.span_id for span in receiver.spans] == [span.span_id for span in records]


def test_delivering_nothing_needs_no_collector(protocol: str) -> None:
    with refusing_endpoint() as endpoint:
        sink = sink_to(endpoint)
        sink.deliver([])
        sink.shutdown()


def test_what_is_exported_is_told_once_it_is_taken(protocol: str) -> None:
    told: list[tuple[str, str]] = []
    records = numbered(3)
    with RECEIVERS[protocol]() as receiver:
        sink = sink_to(receiver.endpoint, told)
        sink.emit(records[0])
        assert sink.in_flight([records[0].span_id, records[1].span_id])
        assert not sink.in_flight([records[1].span_id])
        sink.deliver(records[1:])
        assert told == [(span.trace_id, span.span_id) for span in records[1:]]
        sink.shutdown()
        assert sorted(told) == sorted((span.trace_id, span.span_id) for span in records)
        assert not sink.in_flight(span.span_id for span in records)


def test_what_no_collector_takes_is_neither_told_nor_in_flight(
    protocol: str, otel_variables: pytest.MonkeyPatch
) -> None:
    otel_variables.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    told: list[tuple[str, str]] = []
    queued, delivered = numbered(2)
    with refusing_endpoint() as endpoint:
        sink = sink_to(endpoint, told)
        with pytest.raises(UnreachableError, match="did not take"):
            sink.deliver([delivered])
        sink.emit(queued)
        sink.shutdown()
    assert told == []
    assert not sink.in_flight([queued.span_id, delivered.span_id])


def test_a_callback_that_breaks_does_not_stop_the_export(
    protocol: str, otel_variables: pytest.MonkeyPatch
) -> None:
    def broken(ids: Sequence[tuple[str, str]]) -> None:
        raise OSError("the disk is full")

    with RECEIVERS[protocol]() as receiver:
        otel_variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        sink = sink_from_environment(broken)
        assert sink is not None
        for record in numbered(3000):
            sink.emit(record)
        sink.shutdown()
        assert len(receiver.spans) == 3000
        assert not sink.in_flight(span.span_id for span in numbered(3000))
