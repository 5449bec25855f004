from __future__ import annotations

import re

import pytest
from opentelemetry import context as otel_context

from engine.logs.context import about_promotion
from engine.telemetry.propagation import TraceContext, to_otel
from tests.logs.conftest import Log, Terminal, raised

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_line_is_for_people_and_ends_with_its_ids(console: Log) -> None:
    context = TraceContext(trace_id=TRACE, span_id=SPAN, sampled=True)
    token = otel_context.attach(to_otel(context))
    try:
        with about_promotion("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"):
            console.logger.warning("gate %s waits: %s", "approval", "0 of 1")
    finally:
        otel_context.detach(token)

    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[warn +\] gate approval waits: 0 of 1 "
        r"\[engine\.under_test\] promotion\.id=1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed "
        rf"trace_id={TRACE} span_id={SPAN}\n",
        console.text,
    )


@pytest.mark.parametrize(
    "text", ["one\ntwo", "\x1b[31mred", "a\rb", "a\x9bb", "right\u202eleft", "a\u2028b", "a\x00b"]
)
def test_nothing_in_a_text_can_end_the_line_or_reach_the_terminal(console: Log, text: str) -> None:
    console.logger.info("%s says no", text)
    assert len(console.text.splitlines()) == 1
    assert console.text.rstrip("\n").isprintable()


def test_a_stack_trace_stands_below_its_line_and_forges_none(console: Log) -> None:
    forged = "2026-01-01 00:00:00.000 [info     ] promotion allowed"
    console.logger.error("broke", exc_info=raised(ValueError(f"bad\n{forged}\x1b[2K")))
    first, *below = console.text.splitlines()

    assert "broke" in first
    assert "    Traceback (most recent call last):" in below
    assert all(line.startswith("    ") and line.isprintable() for line in below)


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    log = Log(None, Terminal(), "engine.under_test")
    try:
        log.logger.error("broke")
    finally:
        log.close()
    assert ("\x1b[" in log.text) is not bool(no_color)
    assert "broke" in log.text
