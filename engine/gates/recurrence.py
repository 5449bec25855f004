"""Recurrence rules of RFC 5545 in local wall time, with bounded work for any rule.

Source: https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from math import prod
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

FIRST_YEAR, LAST_YEAR = 2000, 2398
"""The years in which occurrences are looked for."""

# dateutil gives up on a rule that has no further occurrence in the year 9999 and not before.
# The Gregorian calendar repeats after 400 years, weekdays included, so rules are expanded this
# many years later, where at most 400 years are left to search.
_SHIFT_YEARS = 7600

_MOST_COUNTED = 10_000
_LARGEST_INTERVAL = 10_000
_MOST_TIMES_A_DAY = 24
_MOST_WEEKS_OF_A_MONTH = 5

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_STEPS = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
_FREQUENCIES = (*_STEPS, "MONTHLY", "YEARLY")
_RANGES = {
    "BYSECOND": (0, 59),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
}
_ONLY_WITH = {
    "BYMONTHDAY": ("HOURLY", "DAILY", "MONTHLY", "YEARLY"),
    "BYYEARDAY": ("HOURLY", "YEARLY"),
    "BYWEEKNO": ("YEARLY",),
    "BYSETPOS": ("WEEKLY", "MONTHLY", "YEARLY"),
}
_KEYS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_RANGES)
_BY_DAY = re.compile(r"(?:[+-]?([1-9]|[1-4][0-9]|5[0-3]))?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"\d{8}(T\d{6}Z?)?")


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which the clocks of `zone` show `local` (a naive datetime).

    A time that occurs twice is the first one; a time that clocks skip is read with the offset
    before the gap (https://www.rfc-editor.org/rfc/rfc5545#section-3.3.5).
    """
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


class Recurrence:
    """A parsed RRULE with the local time that it starts at.

    `start` is itself an occurrence only if the rule matches it. UNTIL is the last moment at which
    an occurrence may begin, whether written in UTC, in local time, or as a date (then that whole
    day). HOURLY is the finest frequency.

    Attributes:
        times_a_day: at most how many occurrences begin on one day.
    """

    def __init__(self, rule: str, start: datetime, zone: ZoneInfo) -> None:
        """Parse `rule`, e.g. `FREQ=WEEKLY;BYDAY=FR`; `start` is naive.

        Raises:
            ValueError: the rule is malformed, beyond what is supported, or never occurs.
        """
        parts = _split(rule)
        self._frequency = parts["FREQ"]
        self._interval = _number(parts, "INTERVAL", 1, _LARGEST_INTERVAL, default=1)
        self._count = (
            _number(parts, "COUNT", 1, _MOST_COUNTED, default=1) if "COUNT" in parts else None
        )
        self._until = _until(parts["UNTIL"], zone) if "UNTIL" in parts else None
        self._start = start
        self._zone = zone
        self._week_start = _DAYS.index(parts.get("WKST", "MO"))
        explicit = _explicit(parts, start)
        self._rule = ";".join(f"{key}={value}" for key, value in explicit.items())
        self.times_a_day = _times_a_day(explicit)
        if self.times_a_day > _MOST_TIMES_A_DAY:
            raise ValueError(f"occurs more than {_MOST_TIMES_A_DAY} times a day")
        if next(self._all_from(start), None) is None:
            raise ValueError("never occurs")

    def begins_at(self, local: datetime) -> bool:
        """Whether an occurrence begins at a local time (naive)."""
        return next(self.between(local, local), None) is not None

    def between(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """The local times of the occurrences from `low` to `high`, both naive, in order."""
        if self._count is not None:
            yield from (each for each in self._counted if low <= each <= high)
            return
        for each in self._all_from(low):
            if each > high:
                return
            yield each

    @cached_property
    def _counted(self) -> tuple[datetime, ...]:
        return tuple(islice(self._all_from(self._start), self._count))

    def _all_from(self, low: datetime) -> Iterator[datetime]:
        low = max(low, self._start)
        if not FIRST_YEAR <= low.year <= LAST_YEAR:
            return
        try:
            expanded = iter(rrulestr(self._rule, dtstart=_later(self._period_before(low))))
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"cannot be expanded: {error}") from error
        while True:
            try:
                later: datetime = next(expanded)
            except (StopIteration, ValueError, TypeError, IndexError, OverflowError):
                return  # dateutil has come to the end of the calendar, or sees that none follows
            local = later.replace(year=later.year - _SHIFT_YEARS)
            if local < low:
                continue
            if self._until is not None and instant(local, self._zone) > self._until:
                return
            yield local

    def _period_before(self, low: datetime) -> datetime:
        """The begin of the last period of the rule (hour, day, …) that begins before `low`.

        Periods are those in step with the one that holds `start`. Beginning there instead of at
        `start` keeps the work small for rules that began long ago, and a set that BYSETPOS counts
        in is always whole.
        """
        first = self._start.replace(minute=0, second=0, microsecond=0)
        if self._frequency == "YEARLY":
            periods = (low.year - first.year) // self._interval
            return first.replace(year=first.year + periods * self._interval, month=1, day=1, hour=0)
        if self._frequency == "MONTHLY":
            months = (low.year - first.year) * 12 + low.month - first.month
            months = first.month - 1 + months // self._interval * self._interval
            return first.replace(
                year=first.year + months // 12, month=months % 12 + 1, day=1, hour=0
            )
        if self._frequency != "HOURLY":
            first = first.replace(hour=0)
        if self._frequency == "WEEKLY":
            first -= timedelta(days=(first.weekday() - self._week_start) % 7)
        step = _STEPS[self._frequency] * self._interval
        return first + (low - first) // step * step


def _later(local: datetime) -> datetime:
    return local.replace(year=local.year + _SHIFT_YEARS)


def _split(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.upper().removeprefix("RRULE:").split(";"):
        key, separator, value = part.partition("=")
        if not separator or not value or key not in _KEYS:
            raise ValueError(f"{part!r} is no part of a rule; parts are {', '.join(_KEYS)}")
        if key in parts:
            raise ValueError(f"{key} is given twice")
        parts[key] = value
    frequency = parts.get("FREQ")
    if frequency not in _FREQUENCIES:
        raise ValueError(f"FREQ has to be one of {', '.join(_FREQUENCIES)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other")
    if parts.get("WKST", "MO") not in _DAYS:
        raise ValueError(f"WKST has to be one of {', '.join(_DAYS)}")
    for key, frequencies in _ONLY_WITH.items():
        if key in parts and frequency not in frequencies:
            raise ValueError(f"{key} goes with FREQ {' or '.join(frequencies)} only")
    for key, (low, high) in _RANGES.items():
        if key in parts:
            _numbers(key, parts[key], low, high)
    _check_days(parts)
    return parts


def _check_days(parts: dict[str, str]) -> None:
    numbers = []
    for day in parts["BYDAY"].split(",") if "BYDAY" in parts else ():
        match = _BY_DAY.fullmatch(day)
        if match is None:
            raise ValueError(f"BYDAY: {day!r} is no weekday; write MO or, say, -1FR")
        if match[1] is not None:
            numbers.append(int(match[1]))
    if numbers and (parts["FREQ"] not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts):
        raise ValueError("a number in BYDAY goes with FREQ MONTHLY, or YEARLY without BYWEEKNO")
    within_months = parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts
    if within_months and max(numbers, default=0) > _MOST_WEEKS_OF_A_MONTH:
        raise ValueError(f"BYDAY: no month has a weekday {max(numbers)} times")


def _numbers(key: str, value: str, low: int, high: int) -> list[int]:
    try:
        numbers = [int(each) for each in value.split(",")]
    except ValueError:
        raise ValueError(f"{key}: {value!r} is no list of numbers") from None
    if any(not low <= each <= high or (low < 0 and each == 0) for each in numbers):
        raise ValueError(f"{key} goes from {low} to {high}" + (", without 0" if low < 0 else ""))
    return numbers


def _number(parts: dict[str, str], key: str, low: int, high: int, *, default: int) -> int:
    numbers = _numbers(key, parts[key], low, high) if key in parts else [default]
    if len(numbers) != 1:
        raise ValueError(f"{key} takes one number")
    return numbers[0]


def _until(value: str, zone: ZoneInfo) -> datetime:
    if _UNTIL.fullmatch(value) is None:
        raise ValueError("UNTIL is written like 20261231T230000Z, 20261231T235959 or 20261231")
    try:
        if value.endswith("Z"):
            return datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        local = datetime.strptime(value if "T" in value else f"{value}T235959", "%Y%m%dT%H%M%S")
        return instant(local, zone)
    except (ValueError, OverflowError):
        raise ValueError(f"UNTIL: {value} is no date or time") from None


def _explicit(parts: dict[str, str], start: datetime) -> dict[str, str]:
    """The rule for dateutil, with all that it leaves to `start` written out.

    COUNT and UNTIL are left out: they are about occurrences from `start` on, in real time.
    """
    frequency = parts["FREQ"]
    rule = {key: value for key, value in parts.items() if key not in ("COUNT", "UNTIL")}
    if not {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} & rule.keys():
        if frequency == "YEARLY":
            rule.setdefault("BYMONTH", str(start.month))
        if frequency in ("YEARLY", "MONTHLY"):
            rule["BYMONTHDAY"] = str(start.day)
        if frequency == "WEEKLY":
            rule["BYDAY"] = _DAYS[start.weekday()]
    if frequency != "HOURLY":
        rule.setdefault("BYHOUR", str(start.hour))
    rule.setdefault("BYMINUTE", str(start.minute))
    rule.setdefault("BYSECOND", str(start.second))
    return rule


def _times_a_day(explicit: dict[str, str]) -> int:
    """At most how many occurrences begin on one day."""
    hours = explicit.get("BYHOUR", ",".join(str(hour) for hour in range(24)))
    lists = (hours, explicit["BYMINUTE"], explicit["BYSECOND"])
    return prod(len(set(each.split(","))) for each in lists)
