"""Reading the standard OTEL_* variables; a value that cannot be used is an error that names it.

Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, TypeVar

from engine.errors import InputError

Signal = Literal["traces", "metrics"]
_Made = TypeVar("_Made")


def text(variable: str) -> str:
    """The variable's value without surrounding blanks; empty when it is not set."""
    return os.environ.get(variable, "").strip()


def positive_integer(variable: str, default: int) -> int:
    """The variable as a whole number above zero.

    Raises:
        InputError: it is none.
    """
    given = text(variable)
    if not given:
        return default
    try:
        number = int(given)
    except ValueError:
        number = 0
    if number <= 0:
        raise InputError(variable, f"{given!r} is no positive whole number")
    return number


def endpoint(signal: Signal) -> str:
    """Where the signal goes; empty when it is exported nowhere."""
    if text("OTEL_SDK_DISABLED").lower() == "true":
        return ""
    if text(f"OTEL_{signal.upper()}_EXPORTER").lower() == "none":
        return ""
    own = text(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return own or text("OTEL_EXPORTER_OTLP_ENDPOINT")


def protocol(signal: Signal) -> str:
    """`grpc` or `http/protobuf`.

    Raises:
        InputError: another protocol is asked for.
    """
    field = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL"
    if not text(field):
        field = "OTEL_EXPORTER_OTLP_PROTOCOL"
    chosen = text(field) or "grpc"
    if chosen not in ("grpc", "http/protobuf"):
        raise InputError(field, f"no protocol called {chosen!r}", "use grpc or http/protobuf")
    return chosen


def exporter(signal: Signal, make: Callable[[], _Made]) -> _Made:
    """What `make` returns: an exporter of the SDK, which reads its variables itself.

    Raises:
        InputError: one of its variables has a value that cannot be used.
    """
    for name in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"):
        _require_seconds(name)
    try:
        return make()
    except Exception as error:
        # What the exporters raise over a variable that they cannot use has no common base.
        raise InputError("OTEL_EXPORTER_OTLP_*", f"cannot be used: {error}") from error


def _require_seconds(variable: str) -> None:
    if variable not in os.environ:
        return
    try:
        seconds = float(text(variable))
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        # The SDK takes an empty variable for a number too.
        raise InputError(
            variable, f"{text(variable)!r} is no number of seconds", "give one, or unset it"
        )
