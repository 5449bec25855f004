"""Which strategies there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.errors import InputError
from engine.model.environment import Target
from engine.model.strategy import Strategy
from engine.strategies.all_at_once import AllAtOncePlanner
from engine.strategies.protocol import Plan, Planner
from engine.strategies.rolling import RollingPlanner

# Any: each planner takes its own strategy, and `type` says which.
_BUILT_IN: dict[str, Planner[Any]] = {
    planner.type: planner for planner in (AllAtOncePlanner(), RollingPlanner())
}


def names() -> tuple[str, ...]:
    """All known strategies, sorted."""
    return tuple(sorted(_BUILT_IN))


def get(type: str) -> Planner[Any]:
    """The planner of the strategy called `type`.

    Raises:
        InputError: there is none.
    """
    try:
        return _BUILT_IN[type]
    except KeyError:
        known = f"known strategies: {', '.join(names())}"
        raise InputError("type", f"no strategy is called {type!r}", known) from None


def plan(strategy: Strategy, targets: Sequence[Target]) -> Plan:
    """The batches in which a strategy walks over the targets.

    Raises:
        InputError: there are no targets.
    """
    if not targets:
        raise InputError("targets", "there are none to deploy to", "add targets and apply again")
    return get(strategy.type).plan(strategy, targets)
