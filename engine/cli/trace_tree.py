"""A trace as a tree: what caused what, when in the whole, and for how long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from engine.cli.render import moment
from engine.client.waits import Wait, WaitKind
from engine.telemetry import names
from engine.telemetry.record import SpanLink, SpanRecord

BAR_COLUMNS = 30
"""How wide the bars are where there is room."""

_FACTS = (
    names.PROMOTION_STATUS,
    names.PROMOTION_DECISION,
    names.GATE_NAME,
    names.GATE_RESULT,
    names.WORKFLOW_TEMPLATE_NAME,
    names.STEP_NODE_ID,
    names.DEPLOYMENT_STRATEGY,
    names.DEPLOYMENT_TARGET_COUNT,
    names.DEPLOYMENT_BATCH_SIZE,
    names.TARGET_NAME,
    names.AGENT_NAME,
    names.TASK_ATTEMPT,
    names.EVIDENCE_KEY_ID,
)
"""The attributes that tell a reader what a span was about; the rest is for machines."""

_QUIET = {names.TASK_ATTEMPT: 1}
"""Values that go without saying."""

_ID_DIGITS = 12


@dataclass(frozen=True)
class Row:
    """One span at its place in the tree.

    Attributes:
        guide: the lines of the tree to the left of the name.
    """

    guide: str
    span: SpanRecord


def trace_view(
    spans: Sequence[SpanRecord],
    now: datetime,
    columns: int = BAR_COLUMNS,
    *,
    attempts: Mapping[str, int] | None = None,
    waits: Mapping[str, Sequence[Wait]] | None = None,
) -> Table:
    """A table with a line for each span.

    Args:
        spans: of one trace, in any order. A span whose parent is not among them is a root.
        now: the moment up to which an open span has lasted.
        columns: how wide the bars are.
        attempts: the number of the last attempt, by span id.
        waits: what is waited for at a span, by span id.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, width=columns)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    if not spans:
        return table
    start = min(span.started_at for span in spans)
    end = max(_end(span, now) for span in spans)
    for row in tree(spans):
        span = row.span
        style = _style(span)
        table.add_row(
            Text.assemble((row.guide, "dim"), (span.name, style)),
            Text(bar(span, start, end, now, columns), style or "cyan"),
            Text(_length(span, now)),
            _about(span, (attempts or {}).get(span.span_id), (waits or {}).get(span.span_id, ())),
        )
    return table


def tree(spans: Sequence[SpanRecord]) -> Iterator[Row]:
    """The spans in the order of a tree, children by their start."""
    known = {span.span_id for span in spans}
    children: dict[str | None, list[SpanRecord]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.started_at):
        children[span.parent_span_id if span.parent_span_id in known else None].append(span)

    def below(parent: str, indent: str) -> Iterator[Row]:
        for index, span in enumerate(children[parent]):
            last = index == len(children[parent]) - 1
            yield Row(indent + ("└─ " if last else "├─ "), span)
            yield from below(span.span_id, indent + ("   " if last else "│  "))

    for root in children[None]:
        yield Row("", root)
        yield from below(root.span_id, "")


def bar(
    span: SpanRecord, start: datetime, end: datetime, now: datetime, columns: int = BAR_COLUMNS
) -> str:
    """When the span ran between `start` and `end`; at least one column, `▶` where it is open."""
    whole = (end - start).total_seconds() or 1.0
    first = int((span.started_at - start).total_seconds() / whole * columns)
    until = (_end(span, now) - start).total_seconds() / whole * columns
    first = min(first, columns - 1)
    length = max(1, round(until) - first)
    text = "█" * length if span.ended_at is not None else "█" * (length - 1) + "▶"
    return (" " * first + text)[:columns]


def in_words(length: timedelta) -> str:
    """A length of time in the two units that matter."""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} m"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def _end(span: SpanRecord, now: datetime) -> datetime:
    return span.ended_at or max(now, span.started_at)


def _length(span: SpanRecord, now: datetime) -> str:
    length = in_words(_end(span, now) - span.started_at)
    return length if span.ended_at is not None else f"{length} …"


def _style(span: SpanRecord) -> str:
    if span.failure is not None:
        return "bold red"
    if span.attributes.get(names.GATE_RESULT) == "failed":
        return "red"
    return "" if span.ended_at is not None else "yellow"


def _about(span: SpanRecord, attempt: int | None, waits: Sequence[Wait]) -> Text:
    about = dict(span.attributes)
    if attempt is not None:
        about[names.TASK_ATTEMPT] = attempt
    facts = [
        f"{key}={_shown(key, about[key])}"
        for key in _FACTS
        if key in about and _QUIET.get(key) != about[key]
    ]
    text = Text(" ".join(facts), "dim")
    if span.ended_at is None:
        text = Text.assemble(("open ", "yellow"), text)
    for wait in waits:
        text.append(f" waits for {wait_text(wait)}", "bold yellow")
    for link in span.links:
        text.append(f" ⇠ {_linked(link)}", "blue")
    if span.failure is not None:
        text.append(f" {span.failure.type}: {span.failure.message}", "red")
    return text


def wait_text(wait: Wait) -> str:
    """A wait in words, with the moment at which it ends by itself."""
    words = {WaitKind.APPROVAL: "approval: ", WaitKind.TIME: "a time: "}
    text = words.get(wait.kind, "") + wait.text
    if wait.until is None or wait.kind in (WaitKind.TIME, WaitKind.PERSON):
        # What waits for a time says which, a gate by the clocks of its own zone.
        return text
    return f"{text}; {'at' if wait.kind is WaitKind.RETRY else 'until'} {moment(wait.until)}"


def _linked(link: SpanLink) -> str:
    relation = str(link.attributes.get(names.LINK, "linked")).replace("_", " ")
    what = [
        str(link.attributes[key])
        for key in (names.ENVIRONMENT_NAME, names.PROMOTION_ID)
        if key in link.attributes
    ]
    return f"{relation}: {' '.join(what) or link.span_id}"


def _shown(key: str, value: object) -> str:
    text = str(value)
    return text[:_ID_DIGITS] if key == names.EVIDENCE_KEY_ID else text
