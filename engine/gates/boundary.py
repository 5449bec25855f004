"""Whether a freeze holds where a promotion that is under way may be stopped: before each batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from engine.gates.freeze_window import configured
from engine.gates.freezes import STOP_THE_LINE, free_from, in_force, keeper
from engine.gates.windows import longest
from engine.model.environment import Gate
from engine.model.freeze import Closure, Freeze, FreezeExemptions, OnClose
from engine.model.promotion import PromotionSnapshot

_STRICTEST_FIRST = (OnClose.ROLLBACK, OnClose.ABORT, OnClose.PAUSE, OnClose.FINISH)


def closure(
    promotion: PromotionSnapshot,
    exemptions: FreezeExemptions,
    freezes: Iterable[Freeze],
    now: datetime,
    *,
    has_begun: bool,
) -> Closure | None:
    """What stops the promotion at `now`, or None when it may go on.

    A gate that was skipped has no say. One that was overridden has none over its windows, and none
    over a freeze by hand that had been set when it was overridden. Of several freezes the one
    counts that demands most, and of those the one that ends last.

    Args:
        freezes: those by hand.
        has_begun: whether targets were changed already. Where nothing was, there is nothing to
            finish or to abort, and the promotion waits instead.

    Raises:
        GateError: a configuration cannot be used.
    """
    found = [
        each if has_begun else each.model_copy(update={"on_close": OnClose.PAUSE})
        for gate in _gates(promotion, exemptions)
        for each in _of_gate(gate, promotion, exemptions, freezes, now)
    ]
    stopping = [each for each in found if each.on_close is not OnClose.FINISH]
    stopping.sort(key=_weight)
    return stopping[0] if stopping else None


def _gates(promotion: PromotionSnapshot, exemptions: FreezeExemptions) -> Iterator[Gate]:
    environment = promotion.environment
    gates = [gate for gate in environment.gates if gate.type == STOP_THE_LINE.type]
    if keeper(environment) is STOP_THE_LINE:
        gates.append(STOP_THE_LINE)
    for gate in gates:
        is_exempt = promotion.is_rollback and gate.on_rollback != "ask"
        if not is_exempt and gate.name not in exemptions.skipped:
            yield gate


def _of_gate(
    gate: Gate,
    promotion: PromotionSnapshot,
    exemptions: FreezeExemptions,
    freezes: Iterable[Freeze],
    now: datetime,
) -> Iterator[Closure]:
    config = configured(gate)
    environment = promotion.environment
    overridden = [each.at for each in exemptions.overrides if each.gate == gate.name]
    window = longest(config.windows, now)
    if window is not None and not overridden:
        until = free_from(config.windows, (), environment.name, now) or window.end
        shown = f"{until.astimezone(window.window.zone):%Y-%m-%d %H:%M} {window.window.timezone}"
        yield Closure(
            gate=gate.name,
            reason=f"freeze window {window.window.name!r} is in force until {shown}",
            on_close=config.on_close,
            until=until,
        )
    if keeper(environment).name != gate.name:
        return
    for freeze in in_force(freezes, environment.name, now):
        if overridden and freeze.created_at <= max(overridden):
            continue
        yield Closure(
            gate=gate.name,
            reason=freeze.text,
            on_close=OnClose.PAUSE if freeze.stops_the_line else config.on_close,
            until=freeze.end,
            by_hand=True,
        )


def _weight(found: Closure) -> tuple[int, float]:
    ends = float("inf") if found.until is None else found.until.timestamp()
    return _STRICTEST_FIRST.index(found.on_close), -ends
