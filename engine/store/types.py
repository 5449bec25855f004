"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """`text` with U+FFFD for what UTF-8 text in PostgreSQL cannot hold: NUL and lone surrogates.

    Output of commands and tracebacks end up in the record, and a report must never be refused for
    a character in it. https://www.postgresql.org/docs/current/datatype-character.html
    """
    return _UNSTORABLE.sub("\ufffd", text)


def storable_json(value: Any) -> Any:
    """JSON data with storable text, and with NaN and the infinities (no JSON) as their names."""
    match value:
        case str():
            return storable_text(value)
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case dict():
            return {storable_text(key): storable_json(item) for key, item in value.items()}
        case list() | tuple():
            return [storable_json(item) for item in value]
        case _:
            return value


class UTCDateTime(TypeDecorator[datetime]):
    """A moment, in UTC wherever it is read.

    SQLite keeps no time zone, so the moment is written as UTC there and read as such. A moment
    without a time zone is refused with ValueError.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn `value` to UTC on its way to the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone is ambiguous")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment its time zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    """Text of any length; see `storable_text`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what a database cannot hold."""
        return None if value is None else storable_text(value)


class _StorableJson:
    """What both JSON types do to data on its way to the database."""

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Replace what a database cannot hold."""
        return None if value is None else storable_json(value)


class ReportJson(_StorableJson, TypeDecorator[Any]):
    """JSON to be looked into by queries: JSONB on PostgreSQL. None is SQL's NULL."""

    impl = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    cache_ok = True


class ExactJson(_StorableJson, TypeDecorator[Any]):
    """JSON over which digests are computed: kept as written, number by number. None is SQL's NULL.

    JSONB would not do. It stores numbers as decimals, so that the double 1e22 comes back as an
    integer, which RFC 8785 cannot express.
    https://www.postgresql.org/docs/current/datatype-json.html
    """

    impl = JSON(none_as_null=True)
    cache_ok = True
