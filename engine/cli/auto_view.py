"""Automatic promotion as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence

import durationpy
from rich.console import RenderableType
from rich.text import Text

from engine.cli.explain_view import table
from engine.cli.render import moment
from engine.model.auto_promotion import AutoPromotionState, Hold
from engine.model.base import Value
from engine.model.environment import AutoPromotion


class AutoStatus(Value):
    """Where the automatic promotion to one environment stands.

    Attributes:
        rule: None where there is none any more.
        holds: in force, the oldest first.
        waiting: the release that soaks or is held; None when none does.
    """

    tenant: str
    environment: str
    rule: AutoPromotion | None
    holds: tuple[Hold, ...]
    waiting: AutoPromotionState | None


def auto_view(statuses: Sequence[AutoStatus]) -> RenderableType:
    """A line an environment, and one for each hold."""
    rows = table("environment", "rule", "waiting", "")
    for each in statuses:
        rows.add_row(each.environment, Text(_rule(each.rule)), *_waiting(each.waiting))
        for hold in each.holds:
            text = f"held by {hold.held_by} since {moment(hold.held_at)}: {hold.reason}"
            rows.add_row("", "", "", Text(text, "yellow"))
    return rows


def _rule(rule: AutoPromotion | None) -> str:
    if rule is None:
        return "none"
    return f"after {rule.after}" + (f", soak {durationpy.to_str(rule.soak)}" if rule.soak else "")


def _waiting(state: AutoPromotionState | None) -> tuple[Text, Text]:
    if state is None or state.candidate is None:
        return Text("-", "dim"), Text()
    found = state.latest
    text = "" if found is None else found.reason
    if found is not None and found.until is not None:
        text += f" until {moment(found.until)}"
    return Text(state.candidate.release), Text(text)
