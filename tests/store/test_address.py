from __future__ import annotations

import pytest

from engine.errors import InputError
from engine.store.address import display, is_sqlite, parse


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("sqlite:///state/promote.db", "sqlite+aiosqlite:///state/promote.db"),
        ("sqlite:////var/lib/promote.db", "sqlite+aiosqlite:////var/lib/promote.db"),
        ("sqlite+aiosqlite:///promote.db", "sqlite+aiosqlite:///promote.db"),
        ("postgresql://u:p%40ss@db:6432/promote", "postgresql+psycopg://u:p%40ss@db:6432/promote"),
        ("postgres://u@db/promote", "postgresql+psycopg://u@db/promote"),
        ("postgresql+psycopg://u@db/promote", "postgresql+psycopg://u@db/promote"),
        (
            "postgresql:///promote?host=/run/postgresql&sslmode=require",
            "postgresql+psycopg:///promote?host=/run/postgresql&sslmode=require",
        ),
    ],
)
def test_what_people_write_means_the_asynchronous_driver(given: str, meant: str) -> None:
    parsed = parse(given)
    assert parsed.render_as_string(hide_password=False).replace("%2F", "/") == meant
    assert is_sqlite(parsed) == given.startswith("sqlite")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "promote.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "mysql://u:hunter2@db/promote",
        "postgresql+asyncpg://u:hunter2@db/promote",
        "postgresql://u:hunter2@db",
        "postgresql://u:hunter2@db:port/promote",
        "http://u:hunter2@db/promote",
    ],
)
def test_what_cannot_be_used_is_refused_with_how_to_write_it(given: str) -> None:
    with pytest.raises(
        InputError, match=r"PROMOTE_DATABASE_URL: .*; write sqlite:///PATH"
    ) as error:
        parse(given)
    assert "hunter2" not in str(error.value)


def test_a_displayed_url_holds_no_password() -> None:
    shown = display(parse("postgresql://ann:hunter2@db/promote"))
    assert "hunter2" not in shown
    assert shown.startswith("postgresql://ann:")
