"""The calendars of a freeze gate, read while its file is applied and written out as windows.

What is applied holds the windows themselves: a worker needs no file, and the digest of the policy
tells when a calendar has changed.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from engine.documents.checker import Checker
from engine.documents.source import Location
from engine.errors import InputError
from engine.gates.calendars.source import MAX_BYTES, CalendarSource, windows_of
from engine.gates.freeze_window import FreezeWindowGate
from engine.gates.windows import MOST_WINDOWS
from engine.model.base import Json
from engine.model.environment import Gate


def with_calendars(checker: Checker, gate: Gate, location: Location) -> Gate:
    """The gate with windows for the events of its calendars.

    What is wrong with the configuration itself is left to the check of it.
    """
    given = gate.config.get("calendars")
    own = gate.config.get("windows", [])
    if gate.type != FreezeWindowGate.type or not isinstance(given, list):
        return gate
    if not isinstance(own, list):
        return gate
    windows = list(own)
    for index, each in enumerate(given):
        try:
            source = CalendarSource.model_validate(each)
        except ValidationError:
            return gate
        windows += _windows(checker, source, (*location, "config", "calendars", index))
    if len(windows) > MOST_WINDOWS:
        checker.add(
            (*location, "config", "calendars"),
            f"give {len(windows)} windows with those of `windows`, and a gate takes {MOST_WINDOWS}",
            "choose among the events with `categories`, `summary` or `since`",
        )
        windows = own
    config: dict[str, Json] = {key: gate.config[key] for key in gate.config if key != "calendars"}
    return gate.model_copy(update={"config": {**config, "windows": windows}})


def _windows(checker: Checker, source: CalendarSource, location: Location) -> list[Json]:
    place = (*location, "inline" if source.file is None else "file")
    try:
        data = _data(source, checker.source.path.parent)
        return [
            window.model_dump(mode="json", exclude_defaults=True)
            for window in windows_of(source, data)
        ]
    except InputError as error:
        checker.add(place, f"{error.field}: {error.problem}", error.remedy)
        return []


def _data(source: CalendarSource, directory: Path) -> bytes:
    if source.file is None:
        return (source.inline or "").encode()
    path = directory / source.file
    try:
        if not path.is_file():
            raise InputError(source.file, "there is no such file", "check the path")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            source.file, f"cannot be read: {reason}", "check its permissions"
        ) from error
