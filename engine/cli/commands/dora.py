"""`promote dora`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out_json, render, say
from engine.cli.options import AsJson, duration
from engine.cli.session import with_store

if TYPE_CHECKING:
    from engine.metrics.dora import Dora
    from engine.store.store import Store


def dora(
    environment: Annotated[
        str | None,
        typer.Option("--environment", "-e", help="Only this environment.", show_default=False),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Only this tenant's.", show_default=False)
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            "--window",
            metavar="DURATION",
            help="The time to look back over, such as 7d; PROMOTE_DORA_WINDOW by default, "
            "else 30 days.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the four DORA figures of each environment, out of the record of promotions."""
    from datetime import UTC, datetime

    from engine.config import load_settings
    from engine.metrics.database import Figures

    length = load_settings().dora_window if window is None else duration("--window", window)

    async def read(store: Store) -> list[Dora]:
        found = await Figures(store.statistics, length).compute(datetime.now(UTC))
        return [
            one
            for one in found
            if environment in (None, one.environment) and tenant in (None, one.tenant)
        ]

    figures = with_store(read)
    if as_json:
        out_json(figures)
    elif not figures:
        say("there are no such environments")
    else:
        from engine.cli.dora_table import dora_view

        render(dora_view(figures))
