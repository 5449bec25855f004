from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid5
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.errors import GateError
from engine.gates.freeze_window import FreezeWindowGate, window_id
from engine.gates.windows import FreezeWindow
from engine.model.base import Json
from engine.model.verdict import Allow, Defer, Deny, Verdict
from tests.gates.builders import Services, context, promotion
from tests.gates.wall_clock import ZONES, instant_of, shown
from tests.gates.work import work_of

YEAR_END: dict[str, Json] = {
    "name": "year end",
    "timezone": "Europe/Berlin",
    "start": "2026-12-24T12:00",
    "end": "2027-01-04T08:00",
}
ENVIRONMENT = promotion().environment.id


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def _verdict(now: datetime, *windows: dict[str, Json], on_freeze: str = "deny") -> Verdict:
    config: dict[str, Json] = {"windows": list(windows), "on_freeze": on_freeze}
    return await FreezeWindowGate().evaluate(context("freeze_window", config, now=now), Services())


def _window(
    start: str,
    *,
    name: str = "w",
    timezone: str = "Europe/Berlin",
    **other: Json,
) -> dict[str, Json]:
    return {"name": name, "timezone": timezone, "start": start, **other}


async def _frozen(now: str, window: dict[str, Json]) -> bool:
    return isinstance(await _verdict(_utc(now), window), Deny)


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-12-24T10:59:59.999999", False),
        ("2026-12-24T11:00:00", True),
        ("2026-12-31T00:00:00", True),
        ("2027-01-04T06:59:59.999999", True),
        ("2027-01-04T07:00:00", False),
        ("2027-12-25T00:00:00", False),
    ],
)
async def test_a_window_holds_from_its_start_to_before_its_end(now: str, frozen: bool) -> None:
    assert await _frozen(now, YEAR_END) is frozen


async def test_within_a_window_it_denies_and_names_the_window_and_its_end() -> None:
    verdict = await _verdict(_utc("2026-12-25T00:00"), YEAR_END)
    assert verdict == Deny(
        reason="freeze window 'year end' is in force; ask again after "
        "2027-01-04 08:00 Europe/Berlin",
        attributes={
            "freeze_window.id": str(uuid5(ENVIRONMENT, "freeze/year end")),
            "freeze_window.name": "year end",
        },
    )


async def test_within_a_window_it_waits_until_the_end_where_told_to() -> None:
    verdict = await _verdict(_utc("2026-12-25T00:00"), YEAR_END, on_freeze="wait")
    assert isinstance(verdict, Defer)
    assert verdict.until == _utc("2027-01-04T07:00")
    assert verdict.who == ()
    assert verdict.attributes["freeze_window.name"] == "year end"


async def test_outside_of_windows_it_allows_without_window_attributes() -> None:
    verdict = await _verdict(_utc("2026-12-01T00:00"), YEAR_END)
    assert verdict == Allow(reason="no freeze window is in force")


async def test_the_moment_that_it_defers_to_is_free() -> None:
    now = _utc("2026-12-25T00:00")
    verdict = await _verdict(now, YEAR_END, on_freeze="wait")
    assert isinstance(verdict, Defer)
    assert verdict.until is not None
    assert isinstance(await _verdict(verdict.until, YEAR_END, on_freeze="wait"), Allow)


async def test_the_same_context_gives_the_same_verdict() -> None:
    now = _utc("2026-12-25T00:00")
    assert await _verdict(now, YEAR_END) == await _verdict(now, YEAR_END)


def test_a_windows_id_depends_on_environment_and_name_only() -> None:
    assert window_id(ENVIRONMENT, "a") == window_id(ENVIRONMENT, "a")
    assert window_id(ENVIRONMENT, "a") != window_id(ENVIRONMENT, "b")


async def test_an_unusable_configuration_is_an_error() -> None:
    with pytest.raises(GateError, match=r"windows\.0\.timezone"):
        await _verdict(_utc("2026-12-25T00:00"), YEAR_END | {"timezone": "Mars/Olympus"})


class TestRecurring:
    WEEKEND = _window("2026-01-02T17:00", duration="63h", rrule="FREQ=WEEKLY;BYDAY=FR")

    @pytest.mark.parametrize(
        ("now", "frozen"),
        [
            ("2026-01-01T12:00", False),
            ("2025-12-26T20:00", False),
            ("2026-06-12T14:59", False),
            ("2026-06-12T15:00", True),
            ("2026-06-15T05:59", True),
            ("2026-06-15T06:00", False),
            ("2036-06-14T12:00", True),
        ],
    )
    async def test_every_occurrence_holds(self, now: str, frozen: bool) -> None:
        assert await _frozen(now, self.WEEKEND) is frozen

    @pytest.mark.parametrize(("now", "frozen"), [("2026-01-10T12:00", True), ("2026-01-17", False)])
    async def test_none_holds_after_the_last(self, now: str, frozen: bool) -> None:
        limited = self.WEEKEND | {"rrule": "FREQ=WEEKLY;BYDAY=FR;COUNT=2"}
        assert await _frozen(now, limited) is frozen

    async def test_a_window_longer_than_its_period_holds_without_a_gap(self) -> None:
        window = _window("2026-01-01T00:00", duration="48h", rrule="FREQ=DAILY")
        for hours in range(1, 100, 7):
            now = _utc("2026-03-01T00:00") + timedelta(hours=hours)
            assert isinstance(await _verdict(now, window), Deny)


class TestDates:
    WEEKLY = _window("2026-01-02T17:00", duration="1h", rrule="FREQ=WEEKLY")

    @pytest.mark.parametrize(
        ("now", "frozen"),
        [
            ("2026-01-09T16:30", True),
            ("2026-01-16T16:30", False),
            ("2026-01-20T09:30", True),
            ("2026-01-23T16:30", True),
        ],
    )
    async def test_are_added_and_left_out(self, now: str, frozen: bool) -> None:
        window: dict[str, Json] = {
            **self.WEEKLY,
            "include": ["2026-01-20T10:00", "2026-01-23T17:00"],
            "exclude": ["2026-01-16T17:00"],
        }
        assert await _frozen(now, window) is frozen

    def test_that_are_given_twice_count_once(self) -> None:
        window = FreezeWindow.model_validate({**self.WEEKLY, "include": ["2026-01-09T17:00"]})
        assert len(list(window.in_force_at(_utc("2026-01-09T16:30")))) == 1

    def test_that_are_left_out_have_to_be_some(self) -> None:
        with pytest.raises(ValidationError, match="exclude: nothing begins at 2026-01-16T18:00:00"):
            FreezeWindow.model_validate({**self.WEEKLY, "exclude": ["2026-01-16T18:00"]})
        once = _window("2026-01-02T17:00", duration="1h", exclude=["2026-01-02T17:00"])
        with pytest.raises(ValidationError, match="exclude: nothing begins at"):
            FreezeWindow.model_validate(once)


class TestClockChanges:
    """Berlin goes forward on 2026-03-29 at 02:00 and back on 2026-10-25 at 03:00."""

    NIGHT = "FREQ=DAILY"

    @pytest.mark.parametrize(
        ("begin", "hours"),
        [("2026-03-28T22:00", 7), ("2026-10-24T22:00", 9), ("2026-06-01T22:00", 8)],
    )
    async def test_an_end_is_kept_by_the_wall_clocks(self, begin: str, hours: int) -> None:
        window = _window("2026-01-01T22:00", end="2026-01-02T06:00", rrule=self.NIGHT)
        await self._lasts(window, begin, hours)

    @pytest.mark.parametrize("begin", ["2026-03-28T22:00", "2026-10-24T22:00", "2026-06-01T22:00"])
    async def test_a_duration_is_elapsed_time(self, begin: str) -> None:
        window = _window("2026-01-01T22:00", duration="8h", rrule=self.NIGHT)
        await self._lasts(window, begin, 8)

    async def test_a_begin_that_the_clocks_skip_is_an_hour_later_on_the_wall(self) -> None:
        window = _window("2026-03-28T02:30", duration="10m", rrule=self.NIGHT)
        assert not await _frozen("2026-03-29T01:29", window)
        assert await _frozen("2026-03-29T01:30", window)
        assert not await _frozen("2026-03-29T01:40", window)

    async def test_a_begin_that_comes_twice_is_the_first(self) -> None:
        window = _window("2026-10-24T02:30", duration="10m", rrule=self.NIGHT)
        assert await _frozen("2026-10-25T00:30", window)
        assert not await _frozen("2026-10-25T01:30", window)

    async def test_a_window_that_the_clocks_turn_around_keeps_its_length(self) -> None:
        window = _window("2026-03-28T02:30", end="2026-03-28T03:10", rrule=self.NIGHT)
        assert await _frozen("2026-03-29T01:30", window)
        assert await _frozen("2026-03-29T02:09", window)
        assert not await _frozen("2026-03-29T02:10", window)

    async def _lasts(self, window: dict[str, Json], begin: str, hours: int) -> None:
        start = datetime.fromisoformat(begin).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        moment = start.astimezone(UTC)
        second = timedelta(seconds=1)
        for now, frozen in (
            (moment - second, False),
            (moment, True),
            (moment + timedelta(hours=hours) - second, True),
            (moment + timedelta(hours=hours), False),
        ):
            assert isinstance(await _verdict(now, window), Deny) is frozen


class TestSeveral:
    async def test_overlapping_and_adjacent_windows_are_waited_out_together(self) -> None:
        first = _window("2026-06-01T00:00", name="first", end="2026-06-03T00:00")
        overlapping = _window("2026-06-02T00:00", name="overlapping", end="2026-06-04T00:00")
        adjacent = _window("2026-06-04T00:00", name="adjacent", duration="12h")
        later = _window("2026-06-04T12:01", name="later", duration="1h")
        verdict = await _verdict(
            _utc("2026-06-01T12:00"), later, adjacent, first, overlapping, on_freeze="wait"
        )
        assert isinstance(verdict, Defer)
        assert verdict.until == _utc("2026-06-04T10:00")
        assert verdict.attributes["freeze_window.name"] == "first"

    async def test_of_two_in_force_the_one_that_ends_last_is_named(self) -> None:
        short = _window("2026-06-01T00:00", name="short", duration="2h")
        long = _window("2026-06-01T00:00", name="long", duration="3h")
        verdict = await _verdict(_utc("2026-06-01T00:00"), short, long)
        assert verdict.attributes["freeze_window.name"] == "long"
        assert verdict.attributes["freeze_window.id"] == str(window_id(ENVIRONMENT, "long"))

    async def test_windows_of_two_zones_are_compared_in_real_time(self) -> None:
        berlin = _window("2026-06-01T00:00", name="berlin", end="2026-06-01T12:00")
        tokyo = _window(
            "2026-06-01T19:00", name="tokyo", timezone="Asia/Tokyo", end="2026-06-02T00:00"
        )
        verdict = await _verdict(_utc("2026-06-01T09:59"), berlin, tokyo, on_freeze="wait")
        assert isinstance(verdict, Defer)
        assert verdict.until == _utc("2026-06-01T15:00")

    async def test_windows_without_any_gap_give_a_later_moment_to_ask_again(self) -> None:
        forever = _window("2026-01-01T00:00", duration="24h", rrule="FREQ=DAILY", timezone="UTC")
        now = _utc("2026-06-01T12:00")
        verdict = await _verdict(now, forever, on_freeze="wait")
        assert isinstance(verdict, Defer)
        assert verdict.until is not None
        assert now + timedelta(days=30) < verdict.until < now + timedelta(days=366)


@pytest.mark.parametrize(
    ("duration", "rrule"),
    [
        ("8784h", "FREQ=DAILY"),
        ("24h", "FREQ=HOURLY"),
        ("24h", "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(map(str, range(1, 32)))),
        ("24h", "FREQ=DAILY;COUNT=10000"),
    ],
)
def test_a_dense_window_is_followed_in_bounded_work(duration: str, rrule: str) -> None:
    window = _window("2000-01-01T00:00", duration=duration, rrule=rrule)
    config: dict[str, Json] = {"windows": [window], "on_freeze": "wait"}
    asked = context("freeze_window", config, now=_utc("2026-06-01T12:00"))

    def evaluate() -> None:
        # This gate awaits nothing, so one step takes it to its end.
        with pytest.raises(StopIteration):
            FreezeWindowGate().evaluate(asked, Services()).send(None)

    assert work_of(evaluate) < 1_000_000


@pytest.mark.parametrize("year", [1, 1969, 1999, 2399, 9999])
async def test_a_moment_outside_of_the_calendar_is_free(year: int) -> None:
    window = _window("2026-01-01T00:00", duration="24h", rrule="FREQ=DAILY")
    assert isinstance(await _verdict(datetime(year, 6, 1, tzinfo=UTC), window), Allow)


_BEGINS = st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)).map(
    lambda local: local.replace(minute=local.minute // 15 * 15, second=0, microsecond=0)
)
_LENGTHS = st.integers(1, 40).map(lambda quarters: timedelta(minutes=15 * quarters))


@settings(deadline=None, max_examples=200)
@given(
    zone_name=st.sampled_from(ZONES),
    first=_BEGINS,
    length=_LENGTHS,
    by_wall=st.booleans(),
    every=st.integers(1, 3),
    probe_day=st.integers(0, 400),
    probe=st.integers(-200, 200),
)
@example("Europe/Berlin", datetime(2026, 3, 1, 2, 30), timedelta(minutes=45), True, 1, 28, 0)
@example("Europe/Berlin", datetime(2026, 10, 1, 2, 30), timedelta(hours=2), True, 1, 24, 4)
@example("America/New_York", datetime(2026, 3, 1, 2, 0), timedelta(hours=1), False, 1, 7, 2)
@example("Australia/Lord_Howe", datetime(2026, 4, 1, 1, 45), timedelta(hours=1), True, 1, 4, 3)
def test_a_recurring_window_holds_exactly_when_counting_days_says_so(
    zone_name: str,
    first: datetime,
    length: timedelta,
    by_wall: bool,
    every: int,
    probe_day: int,
    probe: int,
) -> None:
    zone = ZoneInfo(zone_name)
    window = FreezeWindow(
        name="w",
        timezone=zone_name,
        start=first.isoformat(),
        end=(first + length).isoformat() if by_wall else None,
        duration=None if by_wall else length,
        rrule=f"FREQ=DAILY;INTERVAL={every}",
    )
    moment = instant_of(first + timedelta(days=probe_day), zone) + timedelta(minutes=15 * probe)

    expected = set()
    day = (shown(moment, zone) - first).days
    for index in range(max(0, day // every - 4), day // every + 5):
        begin = first + timedelta(days=index * every)
        start = instant_of(begin, zone)
        end = start + length
        if by_wall and instant_of(begin + length, zone) > start:
            end = instant_of(begin + length, zone)
        if start <= moment < end:
            expected.add((start, end))
    assert {(each.start, each.end) for each in window.in_force_at(moment)} == expected
