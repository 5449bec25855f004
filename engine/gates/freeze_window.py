"""The gate `freeze_window`: times in which nothing may change, given in local time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, NaiveDatetime, model_validator

from engine.gates.configuration import applied
from engine.gates.protocol import AttachmentReader, GateContext
from engine.gates.recurrence import FIRST_YEAR, LAST_YEAR, Recurrence, instant
from engine.model.base import Document, Duration
from engine.model.verdict import Allow, AttributeValue, Defer, Deny, Verdict

_LONGEST = timedelta(days=366)
_LONGEST_IF_DENSE = timedelta(days=1)
# A zone's offset is less than a day, and so is what a change of the clocks can move.
_OFFSET_SLACK = timedelta(days=2)
_LINKS_FOLLOWED = 64


def _written(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("write a local date and time like 2026-12-24T12:00")  # noqa: TRY004 pydantic reports ValueError, not TypeError
    return value


def _in_range(local: datetime) -> datetime:
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise ValueError(f"has to lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return local


def _existing_zone(key: str) -> str:
    try:
        ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{key!r} is no time zone of the IANA database; write for example Europe/Berlin"
        ) from None
    return key


LocalTime = Annotated[NaiveDatetime, BeforeValidator(_written), AfterValidator(_in_range)]
"""A local date and time without offset, `2026-12-24T12:00`."""


class FreezeWindow(Document):
    """One window, once or recurring.

    Attributes:
        name: unique within its gate.
        timezone: a name of the IANA database, e.g. `Europe/Berlin`.
        start: when it begins, for a recurring window the earliest time at which it may.
        end: when it ends by the clocks on the wall; for a recurring window as far from each
            occurrence's begin, by those clocks, as `end` is from `start`.
        duration: how long it lasts, in elapsed time; instead of `end`.
        rrule: a recurrence rule, e.g. `FREQ=WEEKLY;BYDAY=FR`; see `Recurrence`.
    """

    name: str = Field(min_length=1, max_length=100)
    timezone: Annotated[str, AfterValidator(_existing_zone)]
    start: LocalTime
    end: LocalTime | None = None
    duration: Duration | None = Field(default=None, gt=timedelta(0), le=_LONGEST)
    rrule: str | None = None

    @model_validator(mode="after")
    def _is_one_window(self) -> Self:
        if (self.end is None) == (self.duration is None):
            raise ValueError("give either end or duration")
        if self.length <= timedelta(0):
            raise ValueError("ends before it begins; give an end after start")
        if self.rrule is not None:
            if self.length > _LONGEST:
                raise ValueError(f"a recurring window lasts at most {_LONGEST.days} days")
            try:
                recurrence = Recurrence(self.rrule, self.start, self.zone)
            except ValueError as error:
                raise ValueError(f"rrule: {error}") from error
            if recurrence.times_a_day > 1 and self.length > _LONGEST_IF_DENSE:
                raise ValueError("a window that recurs within a day lasts at most a day")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    @property
    def length(self) -> timedelta:
        """From begin to end: by the wall clocks with `end`, elapsed with `duration`."""
        if self.duration is not None:
            return self.duration
        return self.end - self.start if self.end is not None else timedelta(0)

    @cached_property
    def _recurrence(self) -> Recurrence | None:
        return None if self.rrule is None else Recurrence(self.rrule, self.start, self.zone)

    def in_force_at(self, moment: datetime) -> Iterator[Occurrence]:
        """The occurrences, usually none or one, that hold at `moment` (with a time zone)."""
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        if not FIRST_YEAR <= local.year <= LAST_YEAR:
            return
        begins: Iterable[datetime] = (self.start,)
        if self._recurrence is not None:
            earliest = local - self.length - _OFFSET_SLACK
            begins = self._recurrence.between(earliest, local + _OFFSET_SLACK)
        for begin in begins:
            start = instant(begin, self.zone)
            end = start + self.length
            if self.end is not None:
                # Clocks that skip the begin can put it behind the end; it keeps its length then.
                by_wall = instant(begin + self.length, self.zone)
                end = by_wall if by_wall > start else end
            if start <= moment < end:
                yield Occurrence(window=self, start=start, end=end)


class FreezeWindowConfig(Document):
    """The windows of one gate.

    Attributes:
        on_freeze: whether a promotion within a window is denied, or waits until it ends.
    """

    windows: tuple[FreezeWindow, ...] = Field(min_length=1, max_length=200)
    on_freeze: Literal["deny", "wait"] = "deny"

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [window.name for window in self.windows]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one window is called {', '.join(twice)}")
        return self


@dataclass(frozen=True)
class Occurrence:
    """One time that a window is in force, from `start` to before `end`, both in UTC."""

    window: FreezeWindow
    start: datetime
    end: datetime


def window_id(environment: UUID, name: str) -> UUID:
    """The id of the freeze window called `name` of an environment."""
    return uuid5(environment, f"freeze/{name}")


class FreezeWindowGate:
    """Denies, or waits, while one of its windows is in force."""

    config: ClassVar[type[Document]] = FreezeWindowConfig
    type: ClassVar[str] = "freeze_window"

    async def evaluate(self, context: GateContext, read: AttachmentReader) -> Verdict:
        """Allow, deny, or defer until no window is in force.

        Raises:
            GateError: the configuration cannot be used.
        """
        config = applied(context.gate, FreezeWindowConfig)
        holding = _longest(config.windows, context.now)
        if holding is None:
            return Allow(reason="no freeze window is in force")
        window = holding.window
        until = _thawed(config.windows, holding.end)
        attributes: dict[str, AttributeValue] = {
            "freeze_window.id": str(window_id(context.promotion.environment.id, window.name)),
            "freeze_window.name": window.name,
        }
        shown = f"{until.astimezone(window.zone):%Y-%m-%d %H:%M} {window.timezone}"
        if config.on_freeze == "wait":
            reason = f"freeze window {window.name!r} is in force; goes on at {shown}"
            return Defer(reason=reason, until=until, attributes=attributes)
        reason = f"freeze window {window.name!r} is in force; ask again after {shown}"
        return Deny(reason=reason, attributes=attributes)


def _longest(windows: Iterable[FreezeWindow], moment: datetime) -> Occurrence | None:
    holding = (each for window in windows for each in window.in_force_at(moment))
    return max(holding, key=lambda each: each.end, default=None)


def _thawed(windows: tuple[FreezeWindow, ...], end: datetime) -> datetime:
    """The end of the last of the windows that follow one another without a gap from `end` on.

    Windows that never leave a gap are followed for a while only; at the moment returned the gate
    is asked again.
    """
    for _ in range(_LINKS_FOLLOWED):
        following = _longest(windows, end)
        if following is None:
            break
        end = following.end
    return end.astimezone(UTC)
