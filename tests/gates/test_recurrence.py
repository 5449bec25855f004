from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gates.recurrence import Recurrence, instant
from tests.gates.wall_clock import ZONES, instant_of
from tests.gates.work import work_of

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 2, 17, 30)
FAR = datetime(2398, 12, 31)


def _first(rule: str, count: int = 4, start: datetime = START) -> list[datetime]:
    found: list[datetime] = []
    for each in Recurrence(rule, start, BERLIN).between(start, FAR):
        found.append(each)
        if len(found) == count:
            break
    return found


def _dates(rule: str, count: int = 4, start: datetime = START) -> list[str]:
    return [f"{each:%Y-%m-%d}" for each in _first(rule, count, start)]


@pytest.mark.parametrize(
    ("rule", "dates"),
    [
        ("FREQ=WEEKLY", ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23"]),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,FR", ["2026-01-02", "2026-01-05", "2026-01-09", "2026-01-12"]),
        ("freq=daily;interval=10", ["2026-01-02", "2026-01-12", "2026-01-22", "2026-02-01"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]),
        (
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
            ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30"],
        ),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("FREQ=YEARLY", ["2026-01-02", "2027-01-02", "2028-01-02"]),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", ["2027-01-04", "2028-01-03", "2029-01-01"]),
        ("FREQ=WEEKLY;BYDAY=TU,SA;BYSETPOS=1", ["2026-01-06", "2026-01-13", "2026-01-20"]),
        ("FREQ=DAILY;COUNT=2", ["2026-01-02", "2026-01-03"]),
    ],
)
def test_a_rule_gives_the_dates_that_it_describes(rule: str, dates: list[str]) -> None:
    expected = 4 if len(dates) == 2 else len(dates)
    assert _dates(rule, expected) == dates


def test_the_time_of_day_is_that_of_the_start_unless_the_rule_says_otherwise() -> None:
    assert _first("FREQ=DAILY", 1) == [START]
    assert _first("FREQ=DAILY;BYHOUR=6;BYMINUTE=15", 1) == [datetime(2026, 1, 3, 6, 15)]
    assert _first("FREQ=HOURLY;INTERVAL=5", 3) == [
        datetime(2026, 1, 2, 17, 30),
        datetime(2026, 1, 2, 22, 30),
        datetime(2026, 1, 3, 3, 30),
    ]


class TestUntil:
    @pytest.mark.parametrize(
        ("until", "last"),
        [
            ("20260105T163000Z", "2026-01-05"),
            ("20260105T162959Z", "2026-01-04"),
            ("20260105T173000", "2026-01-05"),
            ("20260105T172959", "2026-01-04"),
            ("20260105", "2026-01-05"),
        ],
    )
    def test_is_the_last_moment_to_begin(self, until: str, last: str) -> None:
        assert _dates(f"FREQ=DAILY;UNTIL={until}", 100)[-1] == last

    def test_in_utc_is_compared_in_real_time_over_a_change_of_the_clocks(self) -> None:
        start = datetime(2026, 3, 27, 2, 30)
        rule = "FREQ=DAILY;UNTIL=20260330T003000Z"
        assert _dates(rule, 10, start)[-1] == "2026-03-30"
        rule = "FREQ=DAILY;UNTIL=20260330T002959Z"
        assert _dates(rule, 10, start)[-1] == "2026-03-29"


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("", "'' is no part of a rule"),
        ("WEEKLY", "'WEEKLY' is no part"),
        ("FREQ=", "is no part"),
        ("INTERVAL=2", "FREQ has to be one of HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY"),
        ("FREQ=MINUTELY", "FREQ has to be one of"),
        ("FREQ=SECONDLY", "FREQ has to be one of"),
        ("FREQ=FORTNIGHTLY", "FREQ has to be one of"),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ is given twice"),
        ("FREQ=YEARLY;BYEASTER=0", "no part of a rule"),
        ("FREQ=DAILY\nEXDATE:20260105T173000", "FREQ has to be one of"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20260105", "exclude each other"),
        ("FREQ=DAILY;COUNT=0", "COUNT goes from 1"),
        ("FREQ=DAILY;COUNT=99999999", "COUNT goes from 1 to 10000"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL goes from 1"),
        ("FREQ=DAILY;INTERVAL=1,2", "INTERVAL takes one number"),
        ("FREQ=DAILY;INTERVAL=two", "'TWO' is no list of numbers"),
        ("FREQ=DAILY;INTERVAL=" + "9" * 5000, "is no list of numbers"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is written like"),
        ("FREQ=DAILY;UNTIL=20261341", "20261341 is no date or time"),
        ("FREQ=DAILY;UNTIL=00010101T000000Z", "never occurs"),
        ("FREQ=DAILY;WKST=XX", "WKST has to be one of"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR goes from 0 to 23"),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH goes from 1 to 12"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY goes from -31 to 31, without 0"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY goes with FREQ"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO goes with FREQ YEARLY only"),
        ("FREQ=HOURLY;BYSETPOS=2", "BYSETPOS goes with FREQ"),
        ("FREQ=WEEKLY;BYDAY=FRI", "'FRI' is no weekday"),
        ("FREQ=WEEKLY;BYDAY=1FR", "a number in BYDAY"),
        ("FREQ=YEARLY;BYWEEKNO=3;BYDAY=1FR", "a number in BYDAY"),
        ("FREQ=MONTHLY;BYDAY=53TU", "no month has a weekday 53 times"),
        ("FREQ=YEARLY;BYMONTH=12;BYDAY=-6TU", "no month has a weekday 6 times"),
        ("FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60))), "more than 24 times a day"),
        ("FREQ=HOURLY;BYMINUTE=0,30", "more than 24 times a day"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never occurs"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "never occurs"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "never occurs"),
        ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20250101", "never occurs"),
        ("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "never occurs"),
        ("FREQ=HOURLY;INTERVAL=24;BYHOUR=3", "cannot be expanded"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_the_reason(rule: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Recurrence(rule, START, BERLIN)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=5MO,5TU;BYSETPOS=9",
        "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1",
        "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=7",
    ],
)
def test_a_rule_without_occurrences_is_found_out_in_bounded_work(rule: str) -> None:
    start = datetime(2000, 1, 1)
    with pytest.raises(ValueError, match="never occurs"):
        Recurrence(rule, start, BERLIN)
    # A dozen for each day of four centuries; to the year 9999 it is twenty times as many.
    assert work_of(lambda: Recurrence(rule, start, BERLIN)) < 2_500_000


def test_looking_far_from_the_start_is_no_more_work_than_looking_close() -> None:
    start = datetime(2000, 1, 1)
    hourly = Recurrence("FREQ=HOURLY", start, BERLIN)

    def day_after(days: int) -> int:
        low = start + timedelta(days=days)
        return work_of(lambda: list(hourly.between(low, low + timedelta(days=1))))

    assert day_after(140_000) < day_after(3) * 2


_NUMBERS = st.lists(st.integers(-60, 60), min_size=1, max_size=3).map(
    lambda numbers: ",".join(map(str, numbers))
)
_PARTS = st.one_of(
    st.tuples(st.just("INTERVAL"), st.integers(0, 40).map(str)),
    st.tuples(st.just("COUNT"), st.integers(0, 40).map(str)),
    st.tuples(
        st.sampled_from(
            ["BYMONTH", "BYMONTHDAY", "BYHOUR", "BYSETPOS", "BYYEARDAY", "BYWEEKNO", "BYMINUTE"]
        ),
        _NUMBERS,
    ),
    st.tuples(st.just("BYDAY"), st.sampled_from(["MO", "FR,SA", "1MO", "-1FR", "5SU", "53TU"])),
    st.tuples(st.just("WKST"), st.sampled_from(["MO", "SU", "WE"])),
    st.tuples(st.just("UNTIL"), st.sampled_from(["20270101", "20260401T003000Z"])),
)
_RULES = st.tuples(
    st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.lists(_PARTS, max_size=4, unique_by=lambda part: part[0]),
).map(lambda drawn: ";".join([f"FREQ={drawn[0]}", *(f"{key}={value}" for key, value in drawn[1])]))


@settings(max_examples=150, deadline=None)
@given(_RULES)
def test_any_rule_is_refused_or_gives_ordered_occurrences(rule: str) -> None:
    with suppress(ValueError):
        recurrence = Recurrence(rule, START, BERLIN)
        found = list(recurrence.between(START, START + timedelta(days=100)))
        assert all(earlier < later for earlier, later in pairwise(found))
        assert all(START <= each <= START + timedelta(days=100) for each in found)


@settings(deadline=None)
@given(st.text(alphabet="FREQ=DAILYWKMO;,:-+0123456789\n", max_size=60))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with suppress(ValueError):
        Recurrence(text, START, BERLIN)


_SOUND = st.sampled_from(
    [
        "FREQ=HOURLY;INTERVAL=7",
        "FREQ=HOURLY;INTERVAL=5;BYDAY=SA,SU",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=DAILY;INTERVAL=5;BYHOUR=3,21;BYMONTH=3,4",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,MO",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
        "FREQ=MONTHLY;INTERVAL=5",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=2TU,-1SU",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=YEARLY;INTERVAL=3",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
        "FREQ=YEARLY;INTERVAL=2;BYYEARDAY=-1,100",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR",
        "FREQ=DAILY;COUNT=300",
        "FREQ=MONTHLY;COUNT=40;BYDAY=MO",
    ]
)


@settings(deadline=None)
@given(
    rule=_SOUND,
    start=st.datetimes(datetime(2020, 1, 1), datetime(2026, 12, 31)),
    ahead=st.integers(0, 5000),
)
def test_beginning_close_to_the_wanted_time_changes_no_occurrence(
    rule: str, start: datetime, ahead: int
) -> None:
    start = start.replace(microsecond=0)
    low = start + timedelta(days=ahead)
    high = low + timedelta(days=200)
    from_the_start = rrulestr(rule, dtstart=start).between(low, high, inc=True)
    assert list(Recurrence(rule, start, BERLIN).between(low, high)) == from_the_start


@settings(deadline=None)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    local=st.datetimes(datetime(2020, 1, 1), datetime(2027, 12, 31)),
)
def test_a_local_time_is_the_moment_that_the_offsets_say(zone: ZoneInfo, local: datetime) -> None:
    assert instant(local, zone) == instant_of(local, zone)


@pytest.mark.parametrize(
    ("zone", "local", "moment"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30)),
        ("Europe/Berlin", datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 0, 30)),
        ("America/New_York", datetime(2026, 3, 8, 2, 30), datetime(2026, 3, 8, 7, 30)),
        ("America/New_York", datetime(2026, 11, 1, 1, 30), datetime(2026, 11, 1, 5, 30)),
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 2, 15), datetime(2026, 10, 3, 15, 45)),
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 1, 45), datetime(2026, 4, 4, 14, 45)),
    ],
)
def test_skipped_and_doubled_times_are_read_as_the_calendar_standard_says(
    zone: str, local: datetime, moment: datetime
) -> None:
    expected = moment.replace(tzinfo=UTC)
    assert instant(local, ZoneInfo(zone)) == expected
    assert instant_of(local, ZoneInfo(zone)) == expected
