"""Logs of the long-running commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from engine.errors import InputError

if TYPE_CHECKING:
    from enum import StrEnum

    from engine.config import Settings

    _Choice = TypeVar("_Choice", bound=StrEnum)

LogFormatOption = Annotated[
    str,
    typer.Option(
        "--log-format",
        metavar="FORMAT",
        help="console or json; PROMOTE_LOG_FORMAT, or console on a terminal and json elsewhere, "
        "by default.",
        show_default=False,
    ),
]
LogLevelOption = Annotated[
    str,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        help="debug, info, warning or error; PROMOTE_LOG_LEVEL, or info, by default.",
        show_default=False,
    ),
]


def with_log_options(settings: Settings, log_format: str, log_level: str) -> Settings:
    """The settings with what the options say about logs; an option that is empty says nothing.

    Raises:
        InputError: an option has a value that cannot be used.
    """
    from engine.config import LogFormat, LogLevel

    update = {
        "log_format": _chosen("--log-format", LogFormat, log_format),
        "log_level": _chosen("--log-level", LogLevel, log_level),
    }
    return settings.model_copy(update={key: value for key, value in update.items() if value})


def log_to_stderr(settings: Settings) -> None:
    """Write what this process logs to standard error, as the settings say.

    Temporal's native core is set up along with it, so this has to come before any connection.

    Raises:
        InputError: the OpenTelemetry configuration file cannot be used.
    """
    from engine.logs.setup import configure_logs
    from engine.otel import opentelemetry_configured
    from engine.telemetry.resource import resource

    with opentelemetry_configured(settings):
        about = resource()
    configure_logs(settings.log_format, settings.log_level, about)


def _chosen(option: str, choices: type[_Choice], given: str) -> _Choice | None:
    if not given:
        return None
    try:
        return choices(given.lower())
    except ValueError as error:
        known = " or ".join(choices)
        raise InputError(option, f"{given!r} cannot be used", f"use {known}") from error
