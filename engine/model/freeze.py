"""A freeze that people set and lift at any time, beside the windows of an environment's gates."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from engine.model.base import Name, Timestamp, Value
from engine.model.verdict import Override


class OnClose(StrEnum):
    """What a running deployment does when a freeze begins.

    It waits before the next batch until the freeze ends, goes on to its end, stops where it is and
    fails, or brings back what the targets ran before and fails.
    """

    PAUSE = "pause"
    FINISH = "finish"
    ABORT = "abort"
    ROLLBACK = "rollback"


class Freeze(Value):
    """A freeze by hand: nothing new is promoted in its scope, and what runs is paused.

    Attributes:
        environment: the only environment that it holds for; None for all of the tenant's.
        stops_the_line: whether it also denies new promotions at once and pauses running ones, as
            against a planned freeze, for which the gate's own configuration says what to do.
        start, end: when it is in force, from `start` to before `end`; None for no end.
        lifted_at: when somebody ended it before its time.
    """

    id: UUID
    tenant_id: UUID
    name: str
    environment: Name | None = None
    reason: str
    stops_the_line: bool = False
    start: Timestamp
    end: Timestamp | None = None
    created_by: str
    created_at: Timestamp
    lifted_by: str | None = None
    lifted_at: Timestamp | None = None
    lift_reason: str = ""

    @property
    def text(self) -> str:
        """What it is, whose, and why, in words for a person."""
        what = "the line is stopped" if self.stops_the_line else f"freeze {self.name!r} is in force"
        return f"{what}, by {self.created_by}: {self.reason}"

    def holds_at(self, moment: Timestamp, environment: str) -> bool:
        """Whether it is in force for `environment` at `moment`."""
        ends = [end for end in (self.end, self.lifted_at) if end is not None]
        return (
            self.environment in (None, environment)
            and self.start <= moment
            and all(moment < end for end in ends)
        )


class FreezeExemptions(Value):
    """The freeze gates that have no say in the rest of a promotion.

    Attributes:
        skipped: names of those that were skipped when it was decided.
        overrides: those that were overridden, which covers their windows, and the freezes by hand
            that were set before.
    """

    skipped: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()


class Closure(Value):
    """What a promotion that is under way meets where it may be stopped.

    Attributes:
        gate: the name of the gate whose freeze it is; naming it, somebody may override it.
        until: when it ends by itself; None when somebody has to lift it.
        by_hand: whether it may be lifted before.
    """

    gate: str
    reason: str
    on_close: OnClose
    until: Timestamp | None = None
    by_hand: bool = False
