"""SQLAlchemy's and the drivers' errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    PromotionEngineError,
    SchemaVersionError,
    UnreachableError,
)
from engine.store.address import FIELD, display

UPGRADE = "run: promote db upgrade"

_UNDEFINED_COLUMN, _UNDEFINED_TABLE = "42703", "42P01"
_FOREIGN_KEY_VIOLATION = "23503"
_SQLITE_UNAVAILABLE = (
    "SQLITE_BUSY",
    "SQLITE_CANTOPEN",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_LOCKED",
    "SQLITE_PERM",
    "SQLITE_READONLY",
)
"""Result codes (https://www.sqlite.org/rescode.html) that say nothing about the statement."""


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Raise the engine's errors for those of SQLAlchemy that occur inside.

    Raises:
        UnreachableError: no answer, access refused, or busy for longer than the time allowed.
        SchemaVersionError: a table or column is missing.
        NotFoundError: what was written refers to something that is not recorded.
        ConflictError: what was written contradicts something that is recorded.
        InputError: the file is no database, or a value cannot be stored.
        PromotionEngineError: anything else that the database refused.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise translate(error, url) from error


def translate(error: SQLAlchemyError, url: URL) -> PromotionEngineError:
    """The engine's error for `error`, which occurred on the database at `url`."""
    reason = _reason(error)
    if isinstance(error, PoolTimeoutError):
        return UnreachableError(f"the database {display(url)} is busy: no connection came free")
    if isinstance(error, IntegrityError):
        return _integrity(error, reason)
    if _lacks_schema(error, reason):
        return SchemaVersionError(
            f"the database {display(url)} lacks what this version needs ({reason}); {UPGRADE}"
        )
    if "file is not a database" in reason or "file is encrypted" in reason:
        return InputError(FIELD, f"{url.database} is not an SQLite database", "give another file")
    if _unavailable(error):
        return UnreachableError(f"the database {display(url)} did not answer: {reason}")
    if isinstance(error, StatementError) and isinstance(error.orig, ValueError | TypeError):
        return InputError("value", f"cannot be stored: {reason}")
    return PromotionEngineError(f"the database {display(url)} refused: {reason}")


def _reason(error: SQLAlchemyError) -> str:
    """The first line of what the driver says: SQLAlchemy's own text repeats the parameters."""
    cause = error.orig if isinstance(error, StatementError) and error.orig else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _sqlstate(error: SQLAlchemyError) -> str | None:
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state if isinstance(state, str) else None


def _lacks_schema(error: SQLAlchemyError, reason: str) -> bool:
    return (
        _sqlstate(error) in (_UNDEFINED_COLUMN, _UNDEFINED_TABLE)
        or "no such table" in reason
        or "no such column" in reason
        or "has no column named" in reason
    )


def _unavailable(error: SQLAlchemyError) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # SQLite's driver raises OperationalError for wrong statements too; its result code tells.
    code = getattr(getattr(error, "orig", None), "sqlite_errorname", None)
    if isinstance(code, str):
        return code.startswith(_SQLITE_UNAVAILABLE)
    return isinstance(error, OperationalError | InterfaceError)


def _integrity(error: IntegrityError, reason: str) -> PromotionEngineError:
    if _sqlstate(error) == _FOREIGN_KEY_VIOLATION or "FOREIGN KEY constraint" in reason:
        return NotFoundError("reference", f"refers to something that is not recorded ({reason})")
    return ConflictError("record", f"contradicts what is recorded ({reason})")
