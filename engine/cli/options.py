"""Options and arguments that several commands share."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.model.promotion import PromotionStatus

PromotionId = Annotated[
    str, typer.Argument(metavar="ID", help="The promotion's id, or the id of its workflow.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, and nothing else, to stdout.")]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant's name.")]
User = Annotated[
    str,
    typer.Option(
        "--user",
        envvar="PROMOTE_USER",
        help="Who says so; your login name by default.",
        show_default=False,
        show_envvar=True,
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.", show_default=False)]
Timeout = Annotated[
    str, typer.Option("--timeout", help="How long to wait, such as 90s, 15m or 1h30m.")
]


def acting_user(given: str, option: str = "--user") -> str:
    """The name given, else the login name.

    Raises:
        InputError: there is neither.
    """
    if given:
        return given
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise InputError(
            option, "your login name cannot be found", "give the option, or set PROMOTE_USER"
        ) from error


def duration(option: str, text: str) -> timedelta:
    """A length of time as people write it.

    Raises:
        InputError: it is none, or not more than nothing.
    """
    from pydantic import TypeAdapter, ValidationError

    from engine.model.base import Duration

    remedy = "write for example 90s, 15m or 1h30m"
    try:
        parsed: timedelta = TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        raise InputError(option, f"{text!r} is not a length of time", remedy) from error
    if parsed <= timedelta():
        raise InputError(option, f"{text!r} is no time at all", remedy)
    return parsed


def moment(option: str, text: str, timezone: str) -> datetime:
    """A date and time with an offset, or by the clocks of `timezone`.

    Raises:
        InputError: it is none, or leaves its zone open.
    """
    from zoneinfo import ZoneInfo

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            option, f"{text!r} is no date and time", "write for example 2026-12-24T12:00+01:00"
        ) from error
    if found.tzinfo is None:
        if not timezone:
            raise InputError(
                option, f"{text} says no time zone", "add an offset such as +01:00, or --timezone"
            )
        try:
            found = found.replace(tzinfo=ZoneInfo(timezone))
        except (KeyError, ValueError, OSError) as error:
            raise InputError(
                "--timezone", f"{timezone!r} is no time zone", "write for example Europe/Berlin"
            ) from error
    return found.astimezone(UTC)


def promotion_status(option: str, text: str) -> PromotionStatus:
    """A promotion's status by its name.

    Raises:
        InputError: there is no such status.
    """
    from engine.model.promotion import PromotionStatus

    try:
        return PromotionStatus(text)
    except ValueError as error:
        known = ", ".join(status.value for status in PromotionStatus)
        raise InputError(option, f"{text!r} is no status", f"use one of {known}") from error


def uuid(option: str, text: str) -> UUID:
    """A UUID.

    Raises:
        InputError: it is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise InputError(option, f"{text!r} is no UUID", "make one with uuidgen") from error
