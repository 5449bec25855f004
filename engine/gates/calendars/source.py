"""Calendars whose events are freeze windows, as groupware exports them.

Source: https://www.rfc-editor.org/rfc/rfc5545
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase
from textwrap import shorten
from typing import Any, Self

from icalendar import Calendar, Event, GloballyUniqueTZIDGuessed
from pydantic import Field, model_validator

from engine.errors import InputError
from engine.gates.calendars.event import EventReader, is_called_off, uid
from engine.gates.calendars.zones import Zones
from engine.gates.windows import FreezeWindow, ZoneName
from engine.model.base import Document

MAX_BYTES = 1024 * 1024
"""Of one calendar."""


class CalendarSource(Document):
    """A calendar whose events are freeze windows.

    Attributes:
        file: an .ics file, relative to the environment file.
        inline: or the calendar itself.
        timezone: of times that the calendar leaves open, such as those of all-day events; when
            left out, that which the calendar names in X-WR-TIMEZONE.
        timezones: IANA names for what the calendar calls time zones in its own way.
        categories: take only events that have one of these; when left out, all.
        summary: take only events whose summary matches this pattern, with `*` and `?`.
        since: leave out what ended before this day and does not recur.
    """

    file: str | None = Field(default=None, min_length=1)
    inline: str | None = Field(default=None, min_length=1, max_length=MAX_BYTES)
    timezone: ZoneName | None = None
    timezones: dict[str, ZoneName] = Field(default_factory=dict)
    categories: tuple[str, ...] = ()
    summary: str = ""
    since: date | None = None

    @model_validator(mode="after")
    def _is_one_calendar(self) -> Self:
        if (self.file is None) == (self.inline is None):
            raise ValueError("give either file or inline")
        return self


def windows_of(source: CalendarSource, data: bytes) -> tuple[FreezeWindow, ...]:
    """The windows that the calendar's events are, in the order of the calendar.

    Events that were cancelled are left out. Alarms, and whether an event shows its owner as busy,
    mean nothing here.

    Args:
        data: the calendar; at most `MAX_BYTES`.

    Raises:
        InputError: it is no calendar, or an event cannot be a window. The field names the event
            in words; whoever knows the place of `source` adds it.
    """
    if len(data) > MAX_BYTES:
        raise InputError("calendar", f"has more than {MAX_BYTES} bytes", "export less of it")
    calendar = _parsed(data)
    zones = Zones(calendar, source.timezone, source.timezones)
    events = calendar.events
    changed: dict[str, list[Event]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            changed.setdefault(uid(event), []).append(event)
    windows: list[FreezeWindow] = []
    for event in events:
        if not is_called_off(event) and _is_wanted(event, source):
            others = [] if "RECURRENCE-ID" in event else changed.get(uid(event), [])
            windows += EventReader(event, zones, source.since).windows(others)
    return tuple(_named(windows))


def _parsed(data: bytes) -> Calendar:
    try:
        with warnings.catch_warnings():
            # Names with something of a program's own before them are made out here, and checked.
            warnings.simplefilter("ignore", GloballyUniqueTZIDGuessed)
            found = Calendar.from_ical(data.decode("utf-8-sig"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        detail = shorten(str(error), width=120, placeholder=" …")
        raise InputError(
            "calendar", f"cannot be read: {detail}", "export it again as an .ics file (iCalendar)"
        ) from error
    if not isinstance(found, Calendar):
        raise InputError("calendar", "holds no VCALENDAR", "export it again as an .ics file")
    return found


def _is_wanted(event: Event, source: CalendarSource) -> bool:
    if source.categories:
        given = {each.casefold() for each in _categories(event)}
        if not given & {each.casefold() for each in source.categories}:
            return False
    summary = str(event.get("SUMMARY", "")).casefold()
    return not source.summary or fnmatchcase(summary, source.summary.casefold())


def _categories(event: Event) -> Iterator[str]:
    given: Any = event.get("CATEGORIES", [])
    for group in given if isinstance(given, list) else [given]:
        yield from (str(each) for each in group.cats)


def _named(windows: list[FreezeWindow]) -> Iterator[FreezeWindow]:
    """The windows with names that tell them apart: those that share one get their date."""
    titles = [window.name for window in windows]
    taken: set[str] = set()
    for window in windows:
        name = window.name
        if titles.count(name) > 1:
            name = f"{name} {window.start:%Y-%m-%d}"
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name} ({number})"
        taken.add(candidate)
        yield window.model_copy(update={"name": candidate})
