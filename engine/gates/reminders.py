"""When people are reminded of an approval that is waited for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from engine.model.gate_config import ApprovalConfig


class Reminders(NamedTuple):
    """Where a schedule of reminders stands.

    Attributes:
        due: how many were due so far.
        next: when the next one is; None after the last.
    """

    due: int
    next: datetime | None


def reminders(config: ApprovalConfig, opened_at: datetime, now: datetime) -> Reminders:
    """The reminders of an approval that was asked for at `opened_at`, as they stand at `now`.

    None comes at the deadline or later.
    """
    passed, left = now - opened_at, config.timeout
    single = sorted(set(config.remind))
    due = sum(1 for each in single if each <= passed)
    if due < len(single):
        return Reminders(due, opened_at + single[due])
    every = config.remind_every
    if every is None:
        return Reminders(due, None)
    last = single[-1] if single else timedelta()
    further = max(0, min(passed - last, left - last - timedelta.resolution) // every)
    coming = last + every * (further + 1)
    return Reminders(due + further, opened_at + coming if coming < left else None)
