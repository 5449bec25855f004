"""`promote server …`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from engine.cli.console import out
from engine.cli.session import with_temporal

if TYPE_CHECKING:
    from temporalio.client import Client

group = typer.Typer(help="Prepare a Temporal server.", no_args_is_help=True)


@group.command("init")
def init() -> None:
    """Register our search attributes on the namespace. Doing it again changes nothing."""

    async def register(client: Client) -> tuple[str, list[str]]:
        from engine.search_attributes import register_search_attributes

        return client.namespace, await register_search_attributes(client)

    namespace, added = with_temporal(register)
    done = f"registered {', '.join(added)}" if added else "all search attributes are there already"
    out(f"namespace {namespace}: {done}")
