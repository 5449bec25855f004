"""The two bases of all values, and the field types that they share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import durationpy
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    StringConstraints,
)

__all__ = ["Digest", "Document", "Duration", "Json", "Name", "Timestamp", "Value"]

Json = JsonValue
"""Any JSON value."""


class Value(BaseModel):
    """An immutable value that travels between processes and releases of this software.

    Unknown fields are ignored, so that an older process can read what a newer one wrote.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class Document(BaseModel):
    """A value that a person writes. Unknown fields are refused, since they are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _parse_duration(value: object) -> object:
    if isinstance(value, str) and not value.startswith(("P", "-P")):
        try:
            return durationpy.from_str(value)
        except durationpy.DurationError as error:
            raise ValueError(
                f"{value!r} is not a duration; write for example 30s, 15m, 72h or 1h30m"
            ) from error
    return value


Duration = Annotated[timedelta, BeforeValidator(_parse_duration)]
"""A length of time. People write `90s`, `15m`, `72h`; on the wire it is ISO 8601 (`PT15M`)."""

Timestamp = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A moment with a time zone, kept in UTC."""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
"""A content digest, `sha256:` and 64 lower-case hexadecimal digits (as in OCI)."""

Name = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$", max_length=63)
]
"""A name for URLs, file names, workflow ids and labels: RFC 1123, dots and underscores too."""


def utc(moment: datetime) -> datetime:
    """`moment` in UTC; it must carry a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone is ambiguous")
    return moment.astimezone(UTC)
