"""Local time worked out from the offsets alone: what the gate's own conversion is held against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Antarctica/Troll",
    "UTC",
)


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clocks of a zone show at a moment."""
    return moment.astimezone(zone).replace(tzinfo=None)


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """The first moment at which clocks show `local`; if they skip it, by the offset before."""
    around = [local.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in range(-48, 49)]
    offsets = {moment.astimezone(zone).utcoffset() or timedelta(0) for moment in around}
    candidates = [local.replace(tzinfo=UTC) - offset for offset in offsets]
    matching = [moment for moment in candidates if shown(moment, zone) == local]
    if matching:
        return min(matching)
    # Clocks that skip `local` go forward, so the offset before is the smaller one.
    return local.replace(tzinfo=UTC) - min(_near(local, zone))


def _near(local: datetime, zone: ZoneInfo) -> set[timedelta]:
    """The offsets on both sides of the change that skips `local`."""
    around = [local.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in range(-48, 49)]
    for before, after in pairwise(around):
        if shown(before, zone) < local < shown(after, zone) and (
            before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset()
        ):
            return {each.astimezone(zone).utcoffset() or timedelta(0) for each in (before, after)}
    raise AssertionError(f"{zone.key} does not skip {local}")
