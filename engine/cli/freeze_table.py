"""Freezes and windows as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from engine.gates.outlook import Outlook
from engine.model.freeze import Freeze


def freezes_view(freezes: Sequence[Freeze], now: datetime) -> Table:
    """Freezes by hand, one a row."""
    table = Table(title="freezes by hand", title_justify="left")
    for column in ("name", "environment", "from (UTC)", "until (UTC)", "state", "by", "reason"):
        table.add_column(column)
    for freeze in freezes:
        table.add_row(
            freeze.name,
            freeze.environment or "all",
            f"{freeze.start:%Y-%m-%d %H:%M}",
            "when lifted" if freeze.end is None else f"{freeze.end:%Y-%m-%d %H:%M}",
            _state(freeze, now),
            freeze.created_by,
            freeze.reason,
        )
    return table


def _state(freeze: Freeze, now: datetime) -> str:
    if freeze.lifted_at is not None:
        return f"lifted by {freeze.lifted_by}: {freeze.lift_reason}"
    if freeze.end is not None and freeze.end <= now:
        return "over"
    if freeze.start > now:
        return "planned"
    return "line stopped" if freeze.stops_the_line else "in force"


def windows_view(windows: Sequence[Outlook]) -> Table:
    """Windows of gates, one time a row."""
    table = Table(title="windows of gates", title_justify="left")
    for column in ("environment", "gate", "window", "from", "until", "from (UTC)", "until (UTC)"):
        table.add_column(column)
    for each in windows:
        table.add_row(
            each.environment,
            each.gate,
            each.window + (" (in force)" if each.is_in_force else ""),
            f"{_clock(each.local_start)} {each.timezone}",
            _clock(each.local_end),
            f"{each.start:%Y-%m-%d %H:%M}",
            f"{each.end:%Y-%m-%d %H:%M}",
        )
    return table


def _clock(local: str) -> str:
    return f"{datetime.fromisoformat(local):%a %Y-%m-%d %H:%M}"
