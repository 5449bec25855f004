"""A begin of time, as an option takes it: how long ago, or a moment."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.errors import InputError


def since_moment(option: str, text: str) -> datetime:
    """The moment that `30d` ago or `2026-03-01T00:00:00Z` means.

    Raises:
        InputError: it means none.
    """
    from engine.cli.options import duration

    remedy = "write for example 30d, or 2026-03-01T00:00:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return datetime.now(UTC) - duration(option, text)
        except (InputError, OverflowError) as error:
            raise InputError(option, f"{text!r} is no time", remedy) from error
    if moment.tzinfo is None:
        raise InputError(option, f"{text!r} has no time zone", remedy)
    return moment.astimezone(UTC)
