"""Freezes that are set by hand, as gates and deployments look at them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from engine.gates.windows import FreezeWindow, longest
from engine.model.environment import Environment, Gate
from engine.model.freeze import Freeze

STOP_THE_LINE = Gate(type="freeze_window", name="stop-the-line")
"""Asked where no gate of the environment looks at the freezes by hand, once there are any."""

_LINKS_FOLLOWED = 64
_NEVER = datetime.max.replace(tzinfo=UTC)


def keeper(environment: Environment) -> Gate:
    """The one gate that looks at the freezes by hand.

    The environment's first freeze_window gate that is asked of every promotion, so one without a
    `when`; else `STOP_THE_LINE`, which no environment file has to name.
    """
    for gate in environment.gates:
        if gate.type == STOP_THE_LINE.type and not gate.when:
            return gate
    return STOP_THE_LINE


def in_force(freezes: Iterable[Freeze], environment: str, moment: datetime) -> tuple[Freeze, ...]:
    """Those in force at `moment`: what stops the line ahead, then what ends last."""
    holding = [each for each in freezes if each.holds_at(moment, environment)]
    holding.sort(key=lambda each: (each.stops_the_line, each.end or _NEVER), reverse=True)
    return tuple(holding)


def free_from(
    windows: tuple[FreezeWindow, ...],
    freezes: Iterable[Freeze],
    environment: str,
    moment: datetime,
) -> datetime | None:
    """The end of the last of the freezes that follow one another without a gap from `moment` on.

    Freezes that never leave a gap are followed for a while only; at the moment returned they have
    to be looked at again. None when one of them has no end.
    """
    for _ in range(_LINKS_FOLLOWED):
        window = longest(windows, moment)
        holding = in_force(freezes, environment, moment)
        if window is None and not holding:
            break
        ends = [each.end or _NEVER for each in holding]
        moment = max(ends if window is None else [window.end, *ends])
        if moment == _NEVER:
            return None
    return moment.astimezone(UTC)
