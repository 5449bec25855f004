"""Freeze windows: times in which nothing may change, given in local time, once or recurring."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, NaiveDatetime, model_validator

from engine.gates.recurrence import FIRST_YEAR, LAST_YEAR, Recurrence, instant
from engine.model.base import Document, Duration

MOST_WINDOWS = 200
"""Of one gate. They are part of the environment, and so of every promotion's record."""

MOST_DATES = 200
"""Of one window, added or left out one by one."""

LONGEST = timedelta(days=366)
"""A recurring window."""

_LONGEST_IF_DENSE = timedelta(days=1)
# A zone's offset is less than a day, and so is what a change of the clocks can move.
_OFFSET_SLACK = timedelta(days=2)


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

ZoneName = Annotated[str, AfterValidator(_existing_zone)]
"""A name of the IANA time zone database, e.g. `Europe/Berlin`."""


class FreezeWindow(Document):
    """One window, once or recurring.

    Attributes:
        name: unique within its gate.
        start: when it begins, for a recurring window the earliest time at which it may.
        end: when it ends by the clocks on the wall; for a recurring window as far from each
            occurrence's begin, by those clocks, as `end` is from `start`.
        duration: how long it lasts, in elapsed time; instead of `end`.
        rrule: a recurrence rule, e.g. `FREQ=WEEKLY;BYDAY=FR`; see `Recurrence`.
        include: further times at which it begins.
        exclude: times at which it would begin, but does not.
    """

    name: str = Field(min_length=1, max_length=100)
    timezone: ZoneName
    start: LocalTime
    end: LocalTime | None = None
    duration: Duration | None = Field(default=None, gt=timedelta(0), le=LONGEST)
    rrule: str | None = None
    include: tuple[LocalTime, ...] = Field(default=(), max_length=MOST_DATES)
    exclude: tuple[LocalTime, ...] = Field(default=(), max_length=MOST_DATES)

    @model_validator(mode="after")
    def _is_one_window(self) -> Self:
        if (self.end is None) == (self.duration is None):
            raise ValueError("give either end or duration")
        if self.length <= timedelta(0):
            raise ValueError("ends before it begins; give an end after start")
        recurrence = None
        if self.rrule is not None:
            if self.length > LONGEST:
                raise ValueError(f"a recurring window lasts at most {LONGEST.days} days")
            try:
                recurrence = Recurrence(self.rrule, self.start, self.zone)
            except ValueError as error:
                raise ValueError(f"rrule: {error}") from error
            if recurrence.times_a_day > 1 and self.length > _LONGEST_IF_DENSE:
                raise ValueError("a window that recurs within a day lasts at most a day")
        for begin in self.exclude:
            if recurrence is None or not recurrence.begins_at(begin):
                raise ValueError(f"exclude: nothing begins at {begin.isoformat()}")
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
        for begin in self._begins(local - self.length - _OFFSET_SLACK, local + _OFFSET_SLACK):
            occurrence = self._beginning_at(begin)
            if occurrence.start <= moment < occurrence.end:
                yield occurrence

    def after(self, moment: datetime) -> Iterator[Occurrence]:
        """The occurrences that hold at `moment` or later, in the order of their begins."""
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        if not FIRST_YEAR <= local.year <= LAST_YEAR:
            return
        for begin in self._begins(local - self.length - _OFFSET_SLACK, datetime.max):
            occurrence = self._beginning_at(begin)
            if moment < occurrence.end:
                yield occurrence

    def _begins(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """The local times from `low` to `high` at which it begins, in order."""
        ruled = iter((self.start,) if low <= self.start <= high else ())
        if self._recurrence is not None:
            ruled = self._recurrence.between(low, high)
        if not self.include and not self.exclude:
            return ruled
        added = sorted(each for each in self.include if low <= each <= high)
        return _but(heapq.merge(ruled, added), frozenset(self.exclude))

    def _beginning_at(self, begin: datetime) -> Occurrence:
        start = instant(begin, self.zone)
        end = start + self.length
        if self.end is not None:
            # Clocks that skip the begin can put it behind the end; it keeps its length then.
            by_wall = instant(begin + self.length, self.zone)
            end = by_wall if by_wall > start else end
        return Occurrence(window=self, start=start, end=end)


def _but(begins: Iterable[datetime], excluded: frozenset[datetime]) -> Iterator[datetime]:
    """Those that are not excluded; what comes twice comes once."""
    last = None
    for begin in begins:
        if begin != last and begin not in excluded:
            yield begin
        last = begin


@dataclass(frozen=True)
class Occurrence:
    """One time that a window is in force, from `start` to before `end`, both in UTC."""

    window: FreezeWindow
    start: datetime
    end: datetime


def longest(windows: Iterable[FreezeWindow], moment: datetime) -> Occurrence | None:
    """Of what is in force at `moment`, that which ends last."""
    holding = (each for window in windows for each in window.in_force_at(moment))
    return max(holding, key=lambda each: each.end, default=None)
