"""`promote db …`."""

from __future__ import annotations

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson
from engine.cli.running import run
from engine.cli.session import missing_file
from engine.errors import ExitCode

group = typer.Typer(help="Look after the database's schema.", no_args_is_help=True)


@group.command("upgrade")
def upgrade() -> None:
    """Bring the database to the revision that this version works with; make it if need be."""
    from engine.config import load_settings
    from engine.store import schema

    run(schema.upgrade(load_settings().effective_database_url))
    out(f"the database is on revision {schema.head()}")


@group.command("current")
def current(as_json: AsJson = False) -> None:
    """Show the database's revision and the one that this version works with."""
    from engine.store import schema

    found, wanted = _revision(), schema.head()
    if as_json:
        out_json({"current": found, "head": wanted, "is_current": found == wanted})
    elif found == wanted:
        out(f"the database is on revision {found}, which is current")
    else:
        out(f"the database is on revision {found or 'none'}, not {wanted}; run: promote db upgrade")


@group.command("check")
def check(as_json: AsJson = False) -> None:
    """Compare the database with the tables that this version declares: exit code 0 or 1."""
    from engine.config import load_settings
    from engine.store import schema

    settings = load_settings()
    missing = missing_file(settings)
    found = (
        [f"there is no database {missing} yet"]
        if missing is not None
        else run(schema.check(settings.effective_database_url))
    )
    if as_json:
        out_json({"differences": found})
    else:
        for difference in found or ["the database is as this version declares it"]:
            out(difference)
    if found:
        raise typer.Exit(ExitCode.FAILED)


def _revision() -> str | None:
    from engine.config import load_settings
    from engine.store import schema

    settings = load_settings()
    if missing_file(settings) is not None:
        return None
    return run(schema.current(settings.effective_database_url))
