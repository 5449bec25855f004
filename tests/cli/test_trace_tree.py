from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from engine.cli.trace_tree import bar, in_words, trace_view, tree
from engine.model.failure import Failure
from engine.telemetry.record import SpanLink, SpanRecord

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(
    number: int,
    name: str,
    parent: int | None,
    first: float,
    last: float | None,
    failure: Failure | None = None,
    **attributes: str | int,
) -> SpanRecord:
    return SpanRecord(
        trace_id=TRACE,
        span_id=f"{number:016x}",
        parent_span_id=None if parent is None else f"{parent:016x}",
        name=name,
        started_at=START + timedelta(seconds=first),
        ended_at=None if last is None else START + timedelta(seconds=last),
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
        failure=failure,
    )


SPANS = [
    span(1, "promotion.request", 99, 0, 100, promotion__status="failed"),
    span(3, "workflow.execute", 1, 50, 100),
    span(2, "promotion.evaluate_gates", 1, 0, 50),
    span(5, "gate.security", 2, 0, 1, gate__name="scan", gate__result="passed"),
    span(4, "gate.approval", 2, 0, 50, gate__name="second-pair", gate__result="passed"),
    span(
        6,
        "agent.task.pull",
        3,
        99,
        100,
        failure=Failure(type="DigestMismatchError", message="other bytes"),
        target__name="web-1",
        task__attempt=3,
    ),
]


def drawn(spans: list[SpanRecord], now: datetime = START + timedelta(seconds=100)) -> list[str]:
    console = Console(width=200, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(trace_view(spans, now))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_children_stand_below_their_parents_by_their_start() -> None:
    assert [(row.guide, row.span.name) for row in tree(SPANS)] == [
        ("", "promotion.request"),
        ("├─ ", "promotion.evaluate_gates"),
        ("│  ├─ ", "gate.security"),
        ("│  └─ ", "gate.approval"),
        ("└─ ", "workflow.execute"),
        ("   └─ ", "agent.task.pull"),
    ]


def test_each_line_tells_length_and_facts() -> None:
    lines = drawn(SPANS)

    assert len(lines) == len(SPANS)
    assert "1 m 40 s" in lines[0]
    assert lines[0].endswith("promotion.status=failed")
    assert lines[2].endswith("gate.name=scan gate.result=passed")
    assert "1.0 s" in lines[2]
    assert lines[5].endswith("target.name=web-1 task.attempt=3 DigestMismatchError: other bytes")


def test_an_error_is_red_and_a_success_is_not() -> None:
    console = Console(width=200, force_terminal=True, color_system="standard", highlight=False)
    with console.capture() as capture:
        console.print(trace_view(SPANS, START))
    lines = capture.get().splitlines()
    red = "\x1b[1;31m"
    assert red in lines[5]
    assert red not in lines[2]


def test_an_open_span_lasts_until_now_and_is_marked() -> None:
    lines = drawn(
        [span(1, "promotion.request", None, 0, None), span(2, "gate.approval", 1, 5, None)],
        START + timedelta(hours=30, minutes=1),
    )
    for line in lines:
        assert "1 d 06 h …" in line
        assert "▶" in line
        assert line.endswith("open")


def test_a_trace_without_spans_is_empty() -> None:
    assert drawn([]) == []


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 100, "██████████"),
        (0, 50, "█████"),
        (50, 100, "     █████"),
        (100, 100, "         █"),
        (33, 33.01, "   █"),
    ],
)
def test_a_bar_shows_when_in_the_whole(first: float, last: float, expected: str) -> None:
    end = START + timedelta(seconds=100)
    assert bar(span(1, "x", None, first, last), START, end, end, columns=10) == expected


def test_a_bar_of_an_instant_is_seen() -> None:
    assert bar(span(1, "x", None, 0, 0), START, START, START, columns=10) == "█"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0124, "12 ms"),
        (1.26, "1.3 s"),
        (61, "1 m 01 s"),
        (3_600, "1 h 00 m"),
        (90_000, "1 d 01 h"),
    ],
)
def test_a_length_in_words(seconds: float, expected: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == expected


def test_a_link_is_told_on_the_line_of_its_span() -> None:
    links = (
        SpanLink(
            trace_id="ab" * 16,
            span_id="cd" * 8,
            attributes={
                "promotion.link": "previous_environment",
                "promotion.id": "0b0c8e3e",
                "environment.name": "staging",
            },
        ),
        SpanLink(
            trace_id=TRACE,
            span_id="ef" * 8,
            attributes={"promotion.link": "previous_attempt"},
        ),
        SpanLink(trace_id=TRACE, span_id="12" * 8),
    )
    (line,) = drawn([SPANS[0].model_copy(update={"links": links})])
    assert "⇠ previous environment: staging 0b0c8e3e" in line
    assert f"⇠ previous attempt: {'ef' * 8}" in line
    assert f"⇠ linked: {'12' * 8}" in line
