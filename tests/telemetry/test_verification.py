"""The engine's own check of a trace, over recorded histories and broken copies of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

import engine.telemetry
from engine.model.failure import Failure
from engine.projection import project_history
from engine.telemetry.otlp_json import otlp_json
from engine.telemetry.record import SpanLink, SpanRecord
from engine.telemetry.verification import deviations

TESTS = Path(__file__).parents[1]
KINDS = sorted((TESTS / "replay" / "histories").glob("*/*"))


async def trace(kind: Path) -> list[SpanRecord]:
    spans: list[SpanRecord] = []
    for path in sorted(kind.glob("*.json")):
        recorded = json.loads(path.read_text())
        history = WorkflowHistory.from_json(recorded["workflow_id"], recorded["history"])
        spans += (await project_history(history)).spans
    return spans


@pytest.fixture(scope="module")
async def allowed() -> list[SpanRecord]:
    return await trace(next(kind for kind in KINDS if kind.name == "allowed"))


def test_the_specification_is_the_one_that_the_conformance_tests_read() -> None:
    ours = Path(engine.telemetry.__file__).with_name("specification.yaml")
    assert ours.read_bytes() == (TESTS / "conformance" / "trace-spec.yaml").read_bytes()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.parent.name}-{kind.name}")
async def test_recorded_promotions_conform(kind: Path) -> None:
    assert deviations(await trace(kind)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.parent.name}-{kind.name}")
async def test_reading_a_history_twice_gives_the_same_trace(kind: Path) -> None:
    assert await trace(kind) == await trace(kind)


def broken(
    name: str, change: Callable[[SpanRecord], SpanRecord]
) -> Callable[[list[SpanRecord]], list[SpanRecord]]:
    def apply(spans: list[SpanRecord]) -> list[SpanRecord]:
        index = next(number for number, span in enumerate(spans) if span.name == name)
        return [*spans[:index], change(spans[index]), *spans[index + 1 :]]

    return apply


def without(key: str) -> Callable[[SpanRecord], SpanRecord]:
    def change(span: SpanRecord) -> SpanRecord:
        rest = {name: value for name, value in span.attributes.items() if name != key}
        return span.model_copy(update={"attributes": rest})

    return change


def updated(**update: object) -> Callable[[SpanRecord], SpanRecord]:
    return lambda span: span.model_copy(update=update)


def later(span: SpanRecord) -> SpanRecord:
    assert span.ended_at is not None
    return span.model_copy(update={"ended_at": span.ended_at + timedelta(hours=1)})


def only(spans: list[SpanRecord], name: str) -> SpanRecord:
    return next(span for span in spans if span.name == name)


def link_to(span: SpanRecord | None) -> SpanLink:
    """A link to another attempt; with None to one that there is not."""
    return SpanLink(
        trace_id="cd" * 16 if span is None else span.trace_id,
        span_id="ab" * 8 if span is None else span.span_id,
        attributes={"promotion.link": "previous_attempt"},
    )


BREAKAGES: dict[str, Callable[[list[SpanRecord]], list[SpanRecord]]] = {
    "lacks the attribute gate.result": broken("gate.security", without("gate.result")),
    "lacks the attribute vulnerabilities.low": broken(
        "gate.security", without("vulnerabilities.low")
    ),
    "lacks the attribute tenant.id": broken("agent.task.pull", without("tenant.id")),
    "lacks the attribute task.attempt": broken("agent.task.pull", without("task.attempt")),
    "error is no bool": broken("evidence.sign", without("error")),
    "is an orphan": broken("agent.task.deploy", updated(parent_span_id="ab" * 8)),
    "is below": lambda spans: broken(
        "evidence.sign",
        updated(parent_span_id=next(s for s in spans if s.name == "workflow.execute").span_id),
    )(spans),
    "lies outside of the time of": broken("deployment.assign_tasks", later),
    "has not ended": broken("gate.approval", updated(ended_at=None)),
    "no such span": broken("evidence.sign", updated(name="evidence.publish")),
    "2 traces": broken("evidence.sign", updated(trace_id="ab" * 16)),
    "have the id": lambda spans: [*spans, spans[0]],
    "there are 0 spans promotion.request": lambda spans: [
        span for span in spans if span.name != "promotion.request"
    ],
    "does not agree with its status": broken(
        "evidence.sign", updated(failure=Failure(type="E", message="m"))
    ),
    "is linked to itself": lambda spans: broken(
        "evidence.sign", updated(links=(link_to(only(spans, "evidence.sign")),))
    )(spans),
    "leads to abababababababab, which": broken("agent.task.pull", updated(links=(link_to(None),))),
    "the main path ran as": lambda spans: broken(
        "evidence.sign",
        updated(started_at=min(span.started_at for span in spans) - timedelta(milliseconds=1)),
    )(spans),
}


@pytest.mark.parametrize("told", BREAKAGES)
def test_each_kind_of_deviation_is_told(allowed: list[SpanRecord], told: str) -> None:
    assert any(told in line for line in deviations(BREAKAGES[told](allowed)))


def test_otlp_json_has_hexadecimal_ids_and_numbers_for_enums(allowed: list[SpanRecord]) -> None:
    request = otlp_json(allowed)
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert {(span["spanId"], span["name"]) for span in spans} == {
        (span.span_id, span.name) for span in allowed
    }
    assert {span["traceId"] for span in spans} == {allowed[0].trace_id}
    assert all(isinstance(span["kind"], int) for span in spans)
    json.dumps(request)
