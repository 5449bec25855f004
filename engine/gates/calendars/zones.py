"""What a calendar calls time zones, as names of the IANA database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from engine.errors import InputError

_PROBES_A_YEAR = 24


class Zones:
    """The time zones of one calendar.

    Args:
        default: the IANA name for times that name no zone; X-WR-TIMEZONE's where it is None.
        names: IANA names by what the calendar calls the zones; they go before all else.
    """

    def __init__(self, calendar: Calendar, default: str | None, names: Mapping[str, str]) -> None:
        self._names = names
        self._defined = {str(zone.get("TZID", "")): zone for zone in calendar.timezones}
        self._default = default
        self._named_by_calendar = str(calendar.get("X-WR-TIMEZONE", "")).strip()

    def default(self) -> str:
        """The zone of times that name none.

        Raises:
            InputError: it is not given.
        """
        if self._default is not None:
            return self._default
        if not self._named_by_calendar:
            raise InputError(
                "calendar",
                "has times without a time zone",
                "give the calendar's with `timezone:`, for example Europe/Berlin",
            )
        return self.named(self._named_by_calendar, None)

    def named(self, tzid: str, year: int | None) -> str:
        """The IANA name of what the calendar calls `tzid`.

        A zone that the calendar defines itself (VTIMEZONE) has to be the same as that of the IANA
        database, in a given year.

        Raises:
            InputError: it is unknown, or not the same.
        """
        if tzid in self._names:
            return self._names[tzid]
        name = _iana(tzid)
        defined = self._defined.get(tzid)
        remedy = f"say which one it is with `timezones:`, for example {{{tzid!r}: Europe/Berlin}}"
        if name is None:
            raise InputError(
                "calendar", f"the time zone {tzid!r} is none of the IANA database", remedy
            )
        if defined is not None and year is not None and not _agree(defined, ZoneInfo(name), year):
            raise InputError(
                "calendar",
                f"what it says of the time zone {tzid!r} is not what the IANA database says of "
                f"{name} in {year}",
                remedy,
            )
        return name


def _iana(tzid: str) -> str | None:
    parts = tzid.strip().strip("/").split("/")
    candidates = [tzid, WINDOWS_TO_OLSON.get(tzid, "")]
    # Some programs put something of their own before it: /example.org/2026/Europe/Berlin.
    candidates += ["/".join(parts[-length:]) for length in (3, 2, 1)]
    return next((each for each in candidates if each and _exists(each)), None)


def _exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _agree(defined: Timezone, zone: ZoneInfo, year: int) -> bool:
    try:
        own = defined.to_tz(lookup_tzid=False)
        first, step = datetime(year, 1, 1, 12), timedelta(days=365 / _PROBES_A_YEAR)
        probes = [first + step * number for number in range(_PROBES_A_YEAR)]
        return all(
            each.replace(tzinfo=own).utcoffset() == each.replace(tzinfo=zone).utcoffset()
            for each in probes
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError):
        # A definition without sense says nothing against the name.
        return True
