"""A promotion as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.model.approval import Vote
from engine.model.promotion import PromotionState, PromotionStatus
from engine.model.verdict import GateOutcome, GateState

if TYPE_CHECKING:
    from engine.client import PromotionSummary
    from engine.model.release import Release

_GOOD, _BAD, _WAITS, _DIM = "green", "red", "yellow", "dim"

_STATUS_STYLES = {
    PromotionStatus.SUCCEEDED: _GOOD,
    PromotionStatus.FAILED: _BAD,
    PromotionStatus.ERRORED: _BAD,
    PromotionStatus.DENIED: _BAD,
    PromotionStatus.REJECTED: _BAD,
    PromotionStatus.AWAITING_APPROVAL: _WAITS,
    PromotionStatus.BLOCKED: _WAITS,
    PromotionStatus.QUEUED: _WAITS,
    PromotionStatus.PAUSED: _WAITS,
    PromotionStatus.HALTED: _WAITS,
    PromotionStatus.CANCELLED: _DIM,
    PromotionStatus.SUPERSEDED: _DIM,
}

_GATE_STYLES = {
    GateOutcome.PASSED: _GOOD,
    GateOutcome.FAILED: _BAD,
    GateOutcome.OVERRIDDEN: _WAITS,
    GateOutcome.SKIPPED: _DIM,
}

_STEP_STYLES = {
    "succeeded": _GOOD,
    "failed": _BAD,
    "waiting": _WAITS,
    "halted": _WAITS,
    "skipped": _DIM,
}


def state_view(state: PromotionState) -> RenderableType:
    """All that is known of where a promotion stands."""
    parts: list[RenderableType] = [_facts(state)]
    if state.gates:
        parts.append(_gates(state.gates))
    if state.steps:
        steps = _table("step", "type", "status", "")
        for step in state.steps:
            style = _STEP_STYLES.get(step.status, "")
            status = Text(step.status, style)
            if step.attempt > 1:
                status.append(f", attempt {step.attempt}")
            steps.add_row(step.label, step.type, status, Text(step.detail))
        parts.append(steps)
    if state.votes:
        votes = _table("vote", "by", "at", "comment")
        for vote in state.votes:
            votes.add_row(_word(vote), Text(_voter(vote)), moment(vote.at), Text(vote.comment))
        parts.append(votes)
    return Group(*parts)


def summaries_view(summaries: Sequence[PromotionSummary]) -> RenderableType:
    """A list of promotions."""
    table = _table("id", "release", "environment", "status", "started")
    for each in summaries:
        status = status_text(each.status) if each.status else Text("-", _DIM)
        table.add_row(
            str(each.promotion_id),
            Text(each.release_version or "-"),
            Text(each.environment or "-"),
            status,
            moment(each.started_at),
        )
    return table


def releases_view(releases: Sequence[Release]) -> RenderableType:
    """A list of releases, a line a component."""
    table = _table("release", "component", "digest", "attachments")
    for release in releases:
        for index, component in enumerate(release.components):
            table.add_row(
                release.ref if index == 0 else "",
                component.name,
                component.digest,
                Text(", ".join(attachment.name for attachment in component.attachments)),
            )
    return table


def status_text(status: PromotionStatus) -> Text:
    """A status in its colour."""
    return Text(status.value, _STATUS_STYLES.get(status, "cyan"))


def moment(at: datetime) -> str:
    """A moment in the reader's own time zone."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _facts(state: PromotionState) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=_DIM, no_wrap=True)
    grid.add_column()
    grid.add_row("promotion", str(state.promotion_id))
    grid.add_row("release", Text(f"{state.release} to {state.environment} ({state.tenant})"))
    grid.add_row("requested", Text(f"by {state.requested_by}, {moment(state.requested_at)}"))
    grid.add_row("status", status_text(state.status))
    if state.decision:
        grid.add_row("decision", state.decision.value)
    if state.waiting_for:
        grid.add_row("waiting for", Text(state.waiting_for, _WAITS))
    if state.progress and state.status is not PromotionStatus.SUCCEEDED:
        grid.add_row("progress", Text(state.progress))
    if state.failure:
        grid.add_row("failure", Text(f"{state.failure.type}: {state.failure.message}", _BAD))
    if state.evidence:
        grid.add_row("evidence", f"{state.evidence.id} (sha256 {state.evidence.sha256})")
    if state.trace_id:
        grid.add_row("trace", state.trace_id)
    return grid


def _gates(gates: Sequence[GateState]) -> Table:
    table = _table("gate", "type", "result", "")
    for gate in gates:
        if gate.result is not None:
            outcome = gate.result.outcome
            word = Text(outcome.value, _GATE_STYLES[outcome])
            table.add_row(gate.name, gate.type, word, Text(gate.result.reason))
        else:
            table.add_row(gate.name, gate.type, Text("open", _WAITS), Text(gate.waiting_for))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(heading, no_wrap=index == 0, overflow="fold")
    return table


def _word(vote: Vote) -> Text:
    word = Text(vote.decision.value)
    if vote.is_signed:
        word.append(", signed")
    if vote.withdrawn_at is not None:
        reason = f": {vote.withdrawal_reason}" if vote.withdrawal_reason else ""
        word.append(f", withdrawn{reason}", _DIM)
    return word


def _voter(vote: Vote) -> str:
    return vote.user if vote.on_behalf_of is None else f"{vote.user} for {vote.on_behalf_of}"
