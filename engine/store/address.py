"""Where the database is: the URL that people write, turned into the one that the driver takes."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from engine.errors import InputError

FIELD = "PROMOTE_DATABASE_URL"
_REMEDY = "write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse(url: str) -> URL:
    """The SQLAlchemy URL, with an asynchronous driver, that `url` means.

    Accepted are `sqlite:///relative/path`, `sqlite:////absolute/path` and libpq's
    `postgresql://…` or `postgres://…`
    (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS).

    Raises:
        InputError: it is no URL, or of another database or driver, or SQLite in memory, where
            each connection would have a database of its own. The message holds no password.
    """
    try:
        given = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InputError(FIELD, "is not a database URL", _REMEDY) from error
    driver = _DRIVERS.get(given.drivername)
    if driver is None:
        raise InputError(FIELD, f"{given.drivername!r} is not supported", _REMEDY)
    parsed = given.set(drivername=driver)
    if is_sqlite(parsed) and _in_memory(parsed):
        raise InputError(FIELD, "a database in memory is lost with its connection", _REMEDY)
    if not is_sqlite(parsed) and not parsed.database:
        raise InputError(FIELD, "names no database", _REMEDY)
    return parsed


def is_sqlite(url: URL) -> bool:
    """Whether `url` is that of an SQLite file."""
    return url.get_backend_name() == "sqlite"


def display(url: URL) -> str:
    """The URL for messages: without driver and password."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def _in_memory(url: URL) -> bool:
    return (
        not url.database
        or ":memory:" in url.database
        or url.query.get("mode") == "memory"
        or "mode=memory" in url.database
    )
