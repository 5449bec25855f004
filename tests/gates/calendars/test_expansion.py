"""Windows out of calendars against the expansion of ical.js, which shares no code with ours.

`expanded/expand.mjs` makes `expanded/occurrences.json`. The five zones change their clocks by an
hour or half an hour, at night or at midnight, in northern and in southern spring.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise, takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine.gates.calendars.source import CalendarSource, windows_of

DIRECTORY = Path(__file__).parent / "expanded"
EXPANDED = json.loads((DIRECTORY / "occurrences.json").read_text())
FIRST, LAST = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC)

BY_THE_STANDARD = {
    "beirut.ics": {
        # 00:30 is skipped: read with the offset before the gap.
        ("small hours", "2026-03-28T21:30:00Z"): "2026-03-28T22:30:00Z",
        # 23:00 comes twice: the first is meant.
        ("second and fourth", "2026-10-24T21:00:00Z"): "2026-10-24T20:00:00Z",
    },
    "santiago.ics": {("small hours", "2026-09-06T03:30:00Z"): "2026-09-06T04:30:00Z"},
}
"""Begins for which ical.js departs from https://www.rfc-editor.org/rfc/rfc5545#section-3.3.5."""

Expansion = set[tuple[str, str, str]]


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _expected(file: str) -> Expansion:
    corrections = BY_THE_STANDARD.get(file, {})
    found = set()
    for name, start, end in EXPANDED[file]:
        begin = _shown(datetime.fromtimestamp(start, UTC))
        begin = corrections.get((name, begin), begin)
        found.add((name, begin, _shown(datetime.fromtimestamp(end, UTC))))
    return found


def _ours(file: str) -> Expansion:
    windows = windows_of(CalendarSource(file=file), (DIRECTORY / file).read_bytes())
    return {
        (window.name, _shown(each.start), _shown(each.end))
        for window in windows
        for each in takewhile(lambda each: each.start < LAST, window.after(FIRST))
    }


@pytest.mark.parametrize("file", sorted(EXPANDED))
def test_every_occurrence_begins_and_ends_when_an_independent_library_says(file: str) -> None:
    assert _ours(file) == _expected(file)


def test_the_calendars_go_over_both_changes_of_the_clocks_in_five_zones() -> None:
    zones = set()
    for file in EXPANDED:
        windows = windows_of(CalendarSource(file=file), (DIRECTORY / file).read_bytes())
        (zone,) = {window.timezone for window in windows}
        offsets = [
            datetime.fromtimestamp(start, UTC).astimezone(ZoneInfo(zone)).utcoffset()
            for _, start, _ in EXPANDED[file]
        ]
        changes = sum(one != other for one, other in pairwise(offsets))
        assert changes == 2
        zones.add(zone)
    assert len(zones) == 5
