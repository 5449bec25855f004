"""The base of all tables: names of constraints and the column types by Python type."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from engine.store.types import PlainText, UTCDateTime

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name that both databases and the migrations agree on
(https://alembic.sqlalchemy.org/en/latest/naming.html)."""

ENUM_LENGTH = 32
"""Characters of an enumeration's column: room for values that later releases add."""


def _values(enumeration: type[Enum]) -> list[str]:
    return [str(member.value) for member in enumeration]


class Base(DeclarativeBase):
    """Base of the table classes."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[object, object]] = {
        str: PlainText(),
        datetime: UTCDateTime(),
        Enum: sa.Enum(Enum, native_enum=False, length=ENUM_LENGTH, values_callable=_values),
    }
