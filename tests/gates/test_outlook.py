from __future__ import annotations

from datetime import UTC, datetime

from engine.gates.outlook import outlook
from engine.model.environment import Gate
from tests.gates.builders import promotion

NIGHTS = {
    "name": "nights",
    "timezone": "Europe/Berlin",
    "start": "2026-01-01T22:00",
    "end": "2026-01-02T06:00",
    "rrule": "FREQ=DAILY",
}
ONCE = {"name": "once", "timezone": "UTC", "start": "2026-03-29T00:00", "duration": "1h"}
OVER = {"name": "over", "timezone": "UTC", "start": "2026-03-27T00:00", "duration": "1h"}


def test_what_comes_next_is_told_by_the_local_clocks_and_in_utc_over_their_change() -> None:
    gate = Gate(type="freeze_window", name="calendar", config={"windows": [NIGHTS, ONCE, OVER]})
    environment = promotion(gates=[Gate(type="security", name="scan"), gate]).environment
    now = datetime(2026, 3, 28, 23, tzinfo=UTC)
    found = outlook(environment, now, 2)
    assert [
        (each.window, each.local_start, each.local_end, each.is_in_force) for each in found
    ] == [
        ("nights", "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00", True),
        ("once", "2026-03-29T00:00:00+00:00", "2026-03-29T01:00:00+00:00", False),
        ("nights", "2026-03-29T22:00:00+02:00", "2026-03-30T06:00:00+02:00", False),
    ]
    assert [f"{each.start:%d %H:%M}-{each.end:%d %H:%M}" for each in found] == [
        "28 21:00-29 04:00",
        "29 00:00-29 01:00",
        "29 20:00-30 04:00",
    ]
    assert {(each.environment, each.gate) for each in found} == {("production", "calendar")}


def test_an_environment_without_windows_has_none_ahead() -> None:
    assert outlook(promotion().environment, datetime(2026, 1, 1, tzinfo=UTC), 5) == []
