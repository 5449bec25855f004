"""What freeze windows an environment has ahead."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from engine.gates.freeze_window import FreezeWindowGate, configured
from engine.model.base import Name, Timestamp, Value
from engine.model.environment import Environment


class Outlook(Value):
    """One time that a window is in force.

    Attributes:
        start, end: in UTC.
        local_start, local_end: the same by the clocks of `timezone`, with their offset.
        is_in_force: whether it is at the moment that was asked for.
    """

    environment: Name
    gate: str
    window: str
    timezone: str
    start: Timestamp
    end: Timestamp
    local_start: str
    local_end: str
    is_in_force: bool


def outlook(environment: Environment, moment: datetime, count: int) -> list[Outlook]:
    """The occurrences of an environment's windows that hold at `moment` or later, by their begins.

    Args:
        count: of each window at most so many.

    Raises:
        GateError: a configuration cannot be used.
    """
    found = [
        Outlook(
            environment=environment.name,
            gate=gate.name,
            window=window.name,
            timezone=window.timezone,
            start=each.start,
            end=each.end,
            local_start=each.start.astimezone(window.zone).isoformat(),
            local_end=each.end.astimezone(window.zone).isoformat(),
            is_in_force=each.start <= moment,
        )
        for gate in environment.gates
        if gate.type == FreezeWindowGate.type
        for window in configured(gate).windows
        for each in islice(window.after(moment), count)
    ]
    found.sort(key=lambda each: (each.start, each.end, each.window))
    return found
