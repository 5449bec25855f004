from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.gates.calendars.source import MAX_BYTES, CalendarSource, windows_of
from engine.gates.windows import FreezeWindow

BERLIN = (Path(__file__).parent / "expanded" / "berlin.ics").read_bytes()
ZONE = BERLIN[BERLIN.index(b"BEGIN:VTIMEZONE") : BERLIN.index(b"BEGIN:VEVENT")].decode()


def calendar(*parts: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//EN", *parts, "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


def event(*lines: str, uid: str = "1", summary: str = "freeze") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{summary}", *lines, "END:VEVENT"])


def read(*parts: str, **source: object) -> tuple[FreezeWindow, ...]:
    chosen = CalendarSource.model_validate({"file": "freezes.ics", **source})
    return windows_of(chosen, calendar(*parts))


def begins(window: FreezeWindow, count: int = 10) -> list[str]:
    found = islice(window.after(datetime(2026, 1, 1, tzinfo=UTC)), count)
    return [each.start.astimezone(window.zone).strftime("%Y-%m-%d %H:%M") for each in found]


def lasts(window: FreezeWindow) -> list[tuple[str, str]]:
    return [
        (f"{each.start:%Y-%m-%dT%H:%MZ}", f"{each.end:%Y-%m-%dT%H:%MZ}")
        for each in islice(window.after(datetime(2026, 1, 1, tzinfo=UTC)), 3)
    ]


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (
            [
                "DTSTART;TZID=Europe/Berlin:20260601T120000",
                "DTEND;TZID=Europe/Berlin:20260601T130000",
            ],
            "2026-06-01T10:00Z",
            "2026-06-01T11:00Z",
        ),
        (["DTSTART:20260601T120000Z", "DURATION:PT45M"], "2026-06-01T12:00Z", "2026-06-01T12:45Z"),
        (
            ["DTSTART;TZID=Europe/Berlin:20260601T120000", "DTEND:20260601T120000Z"],
            "2026-06-01T10:00Z",
            "2026-06-01T12:00Z",
        ),
        (
            ["DTSTART;TZID=W. Europe Standard Time:20260601T120000", "DURATION:PT1H"],
            "2026-06-01T10:00Z",
            "2026-06-01T11:00Z",
        ),
        (
            ["DTSTART;TZID=/example.org/20260101/Europe/Berlin:20260601T120000", "DURATION:PT1H"],
            "2026-06-01T10:00Z",
            "2026-06-01T11:00Z",
        ),
        (
            ["DTSTART;VALUE=DATE:20260329", "DTEND;VALUE=DATE:20260330"],
            "2026-03-28T23:00Z",
            "2026-03-29T22:00Z",
        ),
        (["DTSTART;VALUE=DATE:20261025"], "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        (["DTSTART:20260601T120000", "DURATION:P1D"], "2026-06-01T10:00Z", "2026-06-02T10:00Z"),
        (
            ["DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:P1D"],
            "2026-03-28T11:00Z",
            "2026-03-29T10:00Z",
        ),
        (
            ["DTSTART;TZID=Europe/Berlin:20260328T220000", "DURATION:PT8H"],
            "2026-03-28T21:00Z",
            "2026-03-29T05:00Z",
        ),
    ],
    ids=[
        "local", "utc", "mixed zones", "a Windows name", "a prefixed name", "a day of 23 hours",
        "a day of 25 hours", "floating", "a day by the clocks", "hours that pass",
    ],
)  # fmt: skip
def test_an_event_is_a_window_from_its_begin_to_its_end(
    lines: list[str], start: str, end: str
) -> None:
    (window,) = read("X-WR-TIMEZONE:Europe/Berlin", event(*lines))
    assert window.name == "freeze"
    assert lasts(window) == [(start, end)]


class TestOccurrences:
    WEEKLY = (
        "DTSTART;TZID=Europe/Berlin:20260102T170000",
        "DTEND;TZID=Europe/Berlin:20260105T080000",
        "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=4",
    )

    def test_recur(self) -> None:
        (window,) = read(event(*self.WEEKLY))
        assert begins(window) == [
            "2026-01-02 17:00", "2026-01-09 17:00", "2026-01-16 17:00", "2026-01-23 17:00",
        ]  # fmt: skip

    def test_are_left_out_and_added(self) -> None:
        (window,) = read(
            event(
                *self.WEEKLY,
                "EXDATE:20260109T160000Z",
                "EXDATE;TZID=Europe/Berlin:20260116T170000,20260117T170000",
                "RDATE;TZID=Europe/Berlin:20260114T090000",
            )
        )
        assert begins(window) == ["2026-01-02 17:00", "2026-01-14 09:00", "2026-01-23 17:00"]

    def test_that_are_moved_are_where_they_were_moved_to(self) -> None:
        moved = event(
            "RECURRENCE-ID;TZID=Europe/Berlin:20260109T170000",
            "DTSTART;TZID=Europe/Berlin:20260110T120000",
            "DURATION:PT1H",
            summary="another name",
        )
        series, other = read(event(*self.WEEKLY), moved)
        assert begins(series) == ["2026-01-02 17:00", "2026-01-16 17:00", "2026-01-23 17:00"]
        assert begins(other) == ["2026-01-10 12:00"]
        (alone,) = read(event(*self.WEEKLY), moved, summary="freeze")
        assert begins(alone) == begins(series)

    def test_that_are_called_off_are_none(self) -> None:
        off = event(
            "RECURRENCE-ID;TZID=Europe/Berlin:20260109T170000",
            "DTSTART;TZID=Europe/Berlin:20260109T170000",
            "DURATION:PT1H",
            "STATUS:CANCELLED",
        )
        (window,) = read(event(*self.WEEKLY), off)
        assert "2026-01-09 17:00" not in begins(window)
        assert read(event(*self.WEEKLY, "STATUS:CANCELLED")) == ()

    def test_may_be_dates_alone_or_periods(self) -> None:
        window, first, second = read(
            event(
                "DTSTART:20260601T120000Z",
                "DURATION:PT1H",
                "EXDATE:20260601T120000Z",
                "RDATE:20260701T120000Z,20260702T120000Z",
                "RDATE;VALUE=PERIOD:20260801T120000Z/PT2H,20260802T120000Z/20260802T130000Z",
            )
        )
        assert begins(window) == ["2026-07-01 12:00", "2026-07-02 12:00"]
        assert lasts(first) == [("2026-08-01T12:00Z", "2026-08-01T14:00Z")]
        assert lasts(second) == [("2026-08-02T12:00Z", "2026-08-02T13:00Z")]


class TestChoice:
    def test_by_category(self) -> None:
        found = read(
            event("DTSTART:20260601T120000Z", "DURATION:PT1H", "CATEGORIES:Freeze,Shop"),
            event("DTSTART:20260602T120000Z", "DURATION:PT1H", "CATEGORIES:Party"),
            event("DTSTART:20260603T120000Z", "DURATION:PT1H"),
            categories=["freeze"],
        )
        assert [begins(each) for each in found] == [["2026-06-01 12:00"]]

    def test_by_summary(self) -> None:
        found = read(
            event("DTSTART:20260601T120000Z", "DURATION:PT1H", summary="Code freeze (June)"),
            event("DTSTART:20260602T120000Z", "DURATION:PT1H", summary="Summer party"),
            summary="*freeze*",
        )
        assert [each.name for each in found] == ["Code freeze (June)"]

    def test_by_time(self) -> None:
        found = read(
            event("DTSTART:20250601T120000Z", "DURATION:PT1H"),
            event("DTSTART:20260601T120000Z", "DURATION:PT1H"),
            event("DTSTART:20250101T000000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"),
            since=date(2026, 1, 1),
        )
        assert [each.start.year for each in found] == [2026, 2025]


def test_windows_of_one_name_are_told_apart_by_their_dates() -> None:
    found = read(
        event("DTSTART:20260601T120000Z", "DURATION:PT1H", uid="1"),
        event("DTSTART:20260601T160000Z", "DURATION:PT1H", uid="2"),
        event("DTSTART:20260602T120000Z", "DURATION:PT1H", uid="3"),
        event("DTSTART:20260602T120000Z", "DURATION:PT1H", uid="4", summary="other"),
    )
    assert [each.name for each in found] == [
        "freeze 2026-06-01", "freeze 2026-06-01 (2)", "freeze 2026-06-02", "other",
    ]  # fmt: skip


def test_a_zone_of_the_calendars_own_is_the_one_that_it_is_said_to_be() -> None:
    own = ZONE.replace("TZID:Europe/Berlin", "TZID:Our Office")
    lines = ("DTSTART;TZID=Our Office:20260601T120000", "DURATION:PT1H")
    with pytest.raises(InputError, match="'Our Office' is none of the IANA database; say which"):
        read(own, event(*lines))
    (window,) = read(own, event(*lines), timezones={"Our Office": "Europe/Berlin"})
    assert (window.timezone, lasts(window)[0][0]) == ("Europe/Berlin", "2026-06-01T10:00Z")


def test_a_zone_that_the_calendar_defines_otherwise_than_its_name_says_is_refused() -> None:
    wrong = ZONE.replace("TZOFFSETTO:+0200", "TZOFFSETTO:+0300")
    lines = ("DTSTART;TZID=Europe/Berlin:20260601T120000", "DURATION:PT1H")
    assert read(ZONE, event(*lines))
    with pytest.raises(
        InputError, match="not what the IANA database says of Europe/Berlin in 2026"
    ):
        read(wrong, event(*lines))
    assert read(wrong, event(*lines), timezones={"Europe/Berlin": "Europe/Berlin"})


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["DURATION:PT1H"], "event 'freeze': has no DTSTART"),
        (["DTSTART:20260601T120000", "DURATION:PT1H"], "has times without a time zone; give the"),
        (["DTSTART;VALUE=DATE:20260601"], "has times without a time zone"),
        (["DTSTART:20260601T120000Z"], "ends when it begins; give it a length"),
        (["DTSTART:20260601T120000Z", "DTEND:20260601T110000Z"], "ends when it begins"),
        (["DTSTART:yesterday", "DURATION:PT1H"], "has a DTSTART that cannot be read"),
        (["DTSTART:20260601T120000Z", "DTSTART:20260602T120000Z"], "has DTSTART more than once"),
        (
            ["DTSTART:20260601T120000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=FR"],
            "begins at 2026-06-01T12:00:00, which its RRULE FREQ=WEEKLY;BYDAY=FR does not give",
        ),
        (
            ["DTSTART:20260601T120000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY"],
            "RRULE FREQ=SECONDLY: FREQ has to be one of HOURLY",
        ),
        (
            ["DTSTART:20260601T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY"],
            "has an EXRULE, which RFC 5545 does not know; use EXDATE",
        ),
        (["DTSTART;TZID=Mars/Olympus:20260601T120000", "DURATION:PT1H"], "'Mars/Olympus' is none"),
        (["DTSTART:19990601T120000Z", "DURATION:PT1H"], "has to lie in the years 2000 to 2398"),
    ],
)
def test_an_event_that_cannot_be_a_window_is_refused_by_name(
    lines: list[str], problem: str
) -> None:
    with pytest.raises(InputError) as refused:
        read(event(*lines))
    assert problem in str(refused.value)
    assert refused.value.field == "event 'freeze'"


def test_a_series_that_changes_from_one_occurrence_on_is_refused() -> None:
    changed = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260109T170000",
        "DTSTART;TZID=Europe/Berlin:20260110T120000",
        "DURATION:PT1H",
    )
    with pytest.raises(InputError, match=r"is changed from one occurrence on.*make two series"):
        read(event(*TestOccurrences.WEEKLY), changed)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"hello", "cannot be read"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "cannot be read"),
        (event("DTSTART:20260601T120000Z").encode(), "holds no VCALENDAR"),
        (b"x" * (MAX_BYTES + 1), "has more than 1048576 bytes"),
    ],
)
def test_what_is_no_calendar_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        windows_of(CalendarSource(file="freezes.ics"), data)


def test_a_calendar_without_events_has_no_windows() -> None:
    assert read() == ()


_LINES = st.lists(
    st.sampled_from(
        [
            "DTSTART:20260601T120000Z", "DTSTART;VALUE=DATE:20260601", "DTEND:20260602T120000Z",
            "DURATION:PT1H", "DURATION:-P1D", "DURATION:P9999999D", "RRULE:FREQ=DAILY", "RRULE:",
            "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "EXDATE:20260601T120000Z", "EXDATE:",
            "RDATE:20260601T120000Z", "RDATE;VALUE=PERIOD:20260601T120000Z/PT1H", "RDATE:x",
            "RECURRENCE-ID:20260601T120000Z", "RECURRENCE-ID;VALUE=DATE:20260601", "SUMMARY:\x01",
            "DTSTART;TZID=Europe/Berlin:99991231T235959", "DTEND;TZID=x:20260601T120000",
            "BEGIN:VALARM", "END:VALARM", "CATEGORIES:", "STATUS:CANCELLED", ";;;", "DTSTART",
        ]
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(_LINES, max_size=3))
def test_any_events_are_windows_or_refused(events: list[list[str]]) -> None:
    with suppress(InputError):
        read("X-WR-TIMEZONE:UTC", *(event(*lines) for lines in events))
