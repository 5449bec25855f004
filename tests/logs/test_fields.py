"""A JSON line against OpenTelemetry's log data model."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from temporalio.exceptions import ApplicationError

from engine.logs.context import about_promotion
from engine.telemetry import events
from engine.telemetry.events import event
from engine.telemetry.propagation import TraceContext, to_otel
from tests.logs.conftest import Log, raised

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_line_has_the_fields_of_the_data_model(log: Log) -> None:
    before = datetime.now(UTC)
    log.logger.info(
        "gate %s passed",
        "scan",
        extra=event(events.GATE_DECIDED, {"gate.name": "scan", "no": None}),
    )
    after = datetime.now(UTC)

    line = log.line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
    assert before <= datetime.fromisoformat(line["timestamp"]) <= after
    assert {key: value for key, value in line.items() if key != "timestamp"} == {
        "severity_text": "INFO",
        "severity_number": 9,
        "body": "gate scan passed",
        "event_name": "gate.decided",
        "attributes": {"gate.name": "scan"},
        "instrumentation_scope": {"name": "engine.under_test"},
        "resource": {"service.name": "releases"},
    }


@pytest.mark.parametrize(
    ("level", "text", "number"),
    [
        (logging.DEBUG, "DEBUG", 5),
        (logging.INFO, "INFO", 9),
        (25, "INFO", 9),
        (logging.WARNING, "WARN", 13),
        (logging.ERROR, "ERROR", 17),
        (logging.CRITICAL, "FATAL", 21),
    ],
)
def test_severities_are_those_of_the_data_model(
    log: Log, level: int, text: str, number: int
) -> None:
    log.logger.log(level, "x")
    assert (log.line["severity_text"], log.line["severity_number"]) == (text, number)


@pytest.mark.parametrize("sampled", [True, False])
def test_a_line_belongs_to_the_current_span(log: Log, sampled: bool) -> None:
    context = TraceContext(trace_id=TRACE, span_id=SPAN, sampled=sampled)
    token = otel_context.attach(to_otel(context))
    try:
        log.logger.info("x")
    finally:
        otel_context.detach(token)

    assert (log.line["trace_id"], log.line["span_id"]) == (TRACE, SPAN)
    assert log.line["trace_flags"] == ("01" if sampled else "00")


def test_a_line_about_another_span_than_the_current_one_says_so(log: Log) -> None:
    extra = event(events.TRACE_SETTLED, {"trace_id": TRACE, "span_id": SPAN, "x": 1})
    log.logger.info("x", extra=extra)
    assert (log.line["trace_id"], log.line["span_id"]) == (TRACE, SPAN)
    assert log.line["attributes"] == {"x": 1}


def test_what_is_done_for_a_promotion_tells_which(log: Log) -> None:
    promotion = str(uuid4())
    with about_promotion(promotion):
        log.logger.info("within")
    log.logger.info("after")
    assert [line["attributes"] for line in log.lines] == [{"promotion.id": promotion}, {}]


def test_an_exception_is_three_attributes(log: Log) -> None:
    log.logger.error("broke", exc_info=raised(LookupError("no such key")))

    attributes = log.line["attributes"]
    assert attributes["exception.type"] == "LookupError"
    assert attributes["exception.message"] == "no such key"
    assert attributes["exception.stacktrace"].startswith("Traceback (most recent call last):")
    assert "in raised" in attributes["exception.stacktrace"]


def test_an_error_of_temporal_has_the_type_that_its_raiser_gave(log: Log) -> None:
    log.logger.error("broke", exc_info=ApplicationError("other bytes", type="DigestMismatchError"))
    assert log.line["attributes"]["exception.type"] == "DigestMismatchError"
    assert log.line["attributes"]["exception.message"] == "other bytes"


def test_what_a_library_adds_to_a_record_is_left_out(log: Log) -> None:
    log.logger.info("x", extra={"headers": {"x": "y"}, "payload": object()})
    assert log.line["attributes"] == {}


def test_what_the_temporal_sdk_tells_beside_its_line_becomes_attributes(log: Log) -> None:
    told = {"workflow_id": "w", "workflow_run_id": "r", "attempt": 2, "namespace": "n"}
    log.logger.info("x", extra={"temporal_activity": told})
    assert log.line["attributes"] == {
        "temporalWorkflowID": "w",
        "temporalRunID": "r",
        "temporalAttempt": 2,
    }


ANYTHING = st.text(st.characters(exclude_categories=()), max_size=50)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    body=ANYTHING,
    attributes=st.dictionaries(
        ANYTHING, ANYTHING | st.floats() | st.integers() | st.lists(ANYTHING).map(tuple), max_size=3
    ),
)
def test_whatever_is_logged_is_one_line_of_json(
    log: Log, body: str, attributes: dict[str, str | float], capfd: pytest.CaptureFixture[str]
) -> None:
    log.stream.truncate(0)
    log.stream.seek(0)
    log.logger.info("%s", body, extra=event("x", attributes))
    # The library reports on standard error what a handler could not write.
    assert ascii(capfd.readouterr().err) == "''"
    assert log.text.isascii()
    assert log.text.count("\n") == 1
    assert log.line["severity_text"] == "INFO"
