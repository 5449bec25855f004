"""One event of a calendar as freeze windows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from textwrap import shorten
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Event
from pydantic import ValidationError

from engine.errors import InputError
from engine.gates.calendars.zones import Zones
from engine.gates.recurrence import Recurrence
from engine.gates.windows import FreezeWindow
from engine.model.base import Json
from engine.model.problem import merged, problems_of

_NAME_WIDTH = 80
_ONCE = ("DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID")
_READ = (*_ONCE, "RDATE", "EXDATE")

_Period = tuple[datetime, datetime]


def uid(event: Event) -> str:
    """What an event has in common with those that take the place of single occurrences of it."""
    return str(event.get("UID", ""))


def is_called_off(event: Event) -> bool:
    """Whether it does not take place."""
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


class EventReader:
    """Reads one event.

    Args:
        since: what ended before this day and does not recur is no window.
    """

    def __init__(self, event: Event, zones: Zones, since: date | None) -> None:
        # Its values are of as many types as there are properties.
        self._event: Any = event
        self._zones = zones
        self._since = since
        summary = " ".join(str(event.get("SUMMARY", "")).split())
        self._title = shorten(summary or uid(event) or "event", _NAME_WIDTH, placeholder="…")

    def windows(self, changed: list[Event]) -> list[FreezeWindow]:
        """The event's windows: one, and one for each period that it adds.

        An event that lasts until a time of day (DTEND) ends at that time by the clocks on the wall,
        also in the weeks in which they change, as calendars show it.

        Args:
            changed: events that take the place of single occurrences of this one.

        Raises:
            InputError: the event cannot be a window.
        """
        self._check()
        try:
            return list(self._windows(changed))
        except OverflowError as error:
            raise self._problem("has times that no calendar reaches") from error

    def _windows(self, changed: list[Event]) -> Iterator[FreezeWindow]:
        event = self._event
        zone = self._zone(event["DTSTART"])
        start = self._local(event["DTSTART"], zone)
        added, periods = self._added(zone)
        away = {*self._dates("EXDATE", zone), *self._replaced(changed, zone)}
        begins = sorted({each for each in added if each not in away})
        fields: dict[str, Json] = {"name": self._title, "timezone": zone}
        if "RRULE" in event:
            rule = event["RRULE"].to_ical().decode()
            recurrence = self._recurrence(rule, start, zone)
            gone = [each for each in sorted(away) if recurrence.begins_at(each)]
            fields |= {"rrule": rule, "exclude": [each.isoformat() for each in gone]}
            begins.insert(0, start)
        elif start not in away:
            begins = sorted({start, *begins})
        if begins:
            first, *more = begins
            fields |= {"start": first.isoformat(), **self._length(first, zone)}
            fields["include"] = [each.isoformat() for each in more]
            ends = self._end(more[-1] if more else first, zone)
            if "RRULE" in event or self._is_current(ends):
                yield self._window(fields)
        for begin, end in periods:
            if begin not in away and self._is_current(end):
                yield self._window(
                    {
                        "name": self._title,
                        "timezone": zone,
                        "start": begin.isoformat(),
                        "end": end.isoformat(),
                    }
                )

    def _check(self) -> None:
        event = self._event
        for name, trouble in event.errors:
            if name in _READ:
                raise self._problem(f"has a {name} that cannot be read: {trouble}")
        for name in _ONCE:
            if isinstance(event.get(name), list):
                raise self._problem(f"has {name} more than once")
        if "EXRULE" in event:
            raise self._problem("has an EXRULE, which RFC 5545 does not know", "use EXDATE")
        if "DTSTART" not in event:
            raise self._problem("has no DTSTART")

    def _recurrence(self, rule: str, start: datetime, zone: str) -> Recurrence:
        try:
            recurrence = Recurrence(rule, start, ZoneInfo(zone))
        except ValueError as error:
            raise self._problem(f"RRULE {rule}: {error}") from error
        if not recurrence.begins_at(start):
            raise self._problem(
                f"begins at {start.isoformat()}, which its RRULE {rule} does not give",
                "make its begin one of the rule's; RFC 5545 leaves open what is meant otherwise",
            )
        return recurrence

    def _replaced(self, changed: list[Event], zone: str) -> Iterator[datetime]:
        for other in changed:
            which: Any = other["RECURRENCE-ID"]
            if isinstance(which, list) or "RECURRENCE-ID" in dict(other.errors):
                raise self._problem("has an occurrence whose RECURRENCE-ID cannot be read")
            if which.params.get("RANGE"):
                raise self._problem(
                    "is changed from one occurrence on (RECURRENCE-ID with RANGE)",
                    "make two series of it",
                )
            moment = self._local(which, zone)
            if not isinstance(which.dt, datetime):
                # Of an event with times, a date means the occurrence of that day.
                begin = self._local(self._event["DTSTART"], zone)
                moment = datetime.combine(moment, begin.time())
            yield moment

    def _zone(self, value: Any) -> str:
        moment = value.dt
        if isinstance(moment, datetime):
            tzid = value.params.get("TZID")
            if tzid is not None:
                return self._named(str(tzid), moment.year)
            if moment.tzinfo is not None:
                return "UTC"
        try:
            return self._zones.default()
        except InputError as error:
            raise self._problem(error.problem, error.remedy) from error

    def _named(self, tzid: str, year: int) -> str:
        try:
            return self._zones.named(tzid, year)
        except InputError as error:
            raise self._problem(error.problem, error.remedy) from error

    def _local(self, value: Any, zone: str) -> datetime:
        """A value's time by the clocks of `zone`."""
        return self._wall(value.dt, value.params.get("TZID"), zone)

    def _wall(self, moment: Any, tzid: str | None, zone: str) -> datetime:
        if not isinstance(moment, datetime):
            if not isinstance(moment, date):
                raise self._problem(f"has {moment!r} where a date or a time belongs")
            return datetime.combine(moment, time())
        own = zone
        if tzid is not None:
            own = self._named(str(tzid), moment.year)
        elif moment.tzinfo is not None:
            own = "UTC"
        local = moment.replace(tzinfo=None)
        if own == zone:
            return local
        return local.replace(tzinfo=ZoneInfo(own)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    def _length(self, begin: datetime, zone: str) -> dict[str, Json]:
        """`end` or `duration` of the occurrence that begins at `begin`."""
        event = self._event
        if "DURATION" in event and event["DURATION"].dt % timedelta(days=1):
            return {"duration": f"{event['DURATION'].dt.total_seconds():.0f}s"}
        end = self._end(begin, zone)
        if end <= begin:
            raise self._problem("ends when it begins", "give it a length")
        return {"end": end.isoformat()}

    def _end(self, begin: datetime, zone: str) -> datetime:
        """When the occurrence that begins at `begin` ends, by the clocks on the wall."""
        event = self._event
        if "DTEND" in event:
            first = self._local(event["DTSTART"], zone)
            return begin + (self._local(event["DTEND"], zone) - first)
        if "DURATION" in event:
            length: timedelta = event["DURATION"].dt
            return begin + length
        is_all_day = not isinstance(event["DTSTART"].dt, datetime)
        return begin + timedelta(days=1) if is_all_day else begin

    def _is_current(self, end: datetime) -> bool:
        return self._since is None or end > datetime.combine(self._since, time())

    def _dates(self, name: str, zone: str) -> Iterator[datetime]:
        for value, tzid in self._listed(name):
            yield self._wall(value, tzid, zone)

    def _added(self, zone: str) -> tuple[list[datetime], list[_Period]]:
        dates: list[datetime] = []
        periods: list[_Period] = []
        for value, tzid in self._listed("RDATE"):
            if not isinstance(value, tuple):
                dates.append(self._wall(value, tzid, zone))
                continue
            begin, end = self._wall(value[0], tzid, zone), value[1]
            by_length = isinstance(end, timedelta)
            periods.append((begin, begin + end if by_length else self._wall(end, tzid, zone)))
        return dates, periods

    def _listed(self, name: str) -> Iterator[tuple[Any, str | None]]:
        given = self._event.get(name, [])
        for group in given if isinstance(given, list) else [given]:
            for each in group.dts:
                yield each.dt, each.params.get("TZID") or group.params.get("TZID")

    def _window(self, fields: dict[str, Json]) -> FreezeWindow:
        try:
            return FreezeWindow.model_validate(fields)
        except ValidationError as error:
            problem = merged("window", problems_of(error, fields, "window"))
            raise self._problem(problem.problem) from error

    def _problem(self, problem: str, remedy: str = "") -> InputError:
        return InputError(f"event {self._title!r}", problem, remedy or "change it, or leave it out")
