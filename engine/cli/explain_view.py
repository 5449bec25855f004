"""Explanations as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.cli.render import moment

if TYPE_CHECKING:
    from engine.model.obstacle import Explanation, Obstacle
    from engine.policy.evaluation import Finding
    from engine.policy.forecast import Forecast

STYLES = {
    "passed": "green",
    "allow": "green",
    "failed": "red",
    "deny": "red",
    "waiting": "yellow",
    "wait": "yellow",
    "overridden": "yellow",
    "unknown": "magenta",
    "skipped": "dim",
    "evaluating": "cyan",
}


def explanation_view(told: Explanation) -> RenderableType:
    """Why a promotion is not further."""
    parts: list[RenderableType] = [
        Text(
            f"{told.release} to {told.environment} ({told.tenant}), promotion {told.promotion_id}"
        ),
        Text(told.summary, "bold"),
    ]
    if told.gates:
        gates = table("gate", "type", "result", "")
        for gate in told.gates:
            gates.add_row(gate.name, gate.type, outcome(gate.outcome), Text(gate.reason))
        parts += [Text(), gates]
    if told.obstacles:
        parts += [Text(), *(_obstacle(each) for each in told.obstacles)]
    if told.earliest is not None:
        parts += [Text(), Text(f"goes on by itself at {moment(told.earliest)}", "bold")]
    if told.ending is not None and told.ending.actions:
        actions = told.ending.actions
        parts += [Text(), *(_command(each.what, each.command, each.who) for each in actions)]
    return Group(*parts)


def forecast_view(told: Forecast) -> RenderableType:
    """What the gates would say now."""
    line = Text(f"{told.release} to {told.environment} ({told.tenant}), asked by ")
    line.append(f"{told.requested_by} now: ")
    line.append_text(outcome(told.decision.value))
    return Group(line, Text(), findings_table(told.gates))


def findings_table(findings: Iterable[Finding]) -> Table:
    """A line a gate."""
    rows = table("gate", "type", "result", "until", "")
    for each in findings:
        until = "" if each.until is None else moment(each.until)
        rows.add_row(
            each.name, each.type, outcome(each.outcome.value), Text(until), Text(each.reason)
        )
    return rows


def outcome(word: str) -> Text:
    """An outcome in its colour."""
    return Text(word, STYLES.get(word, ""))


def table(*headings: str) -> Table:
    """A table without lines."""
    rows = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for index, heading in enumerate(headings):
        rows.add_column(heading, no_wrap=index == 0, overflow="fold")
    return rows


def _obstacle(each: Obstacle) -> RenderableType:
    line = Text(f"{each.where}: ", "yellow")
    line.append(each.text, "")
    lines: list[RenderableType] = [line]
    lines += _times(each.until, each.deadline)
    lines += [_command(action.what, action.command, action.who) for action in each.actions]
    return Group(*lines)


def _times(until: datetime | None, deadline: datetime | None) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if until is not None:
        lines.append(Text(f"  goes on at {moment(until)}"))
    if deadline is not None:
        lines.append(Text(f"  gives up at {moment(deadline)}"))
    return lines


def _command(what: str, command: str, who: Iterable[str]) -> Text:
    people = ", ".join(who)
    line = Text(f"  {what}{f' ({people})' if people else ''}: ")
    line.append(command, "cyan")
    return line
