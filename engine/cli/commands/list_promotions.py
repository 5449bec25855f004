"""`promote list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out_json, render, say
from engine.cli.options import AsJson, promotion_status
from engine.cli.session import with_client

if TYPE_CHECKING:
    from engine.client import PromotionClient, PromotionSummary


def list_promotions(
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Only this tenant's.", show_default=False)
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--environment", "-e", help="Only to this environment.", show_default=False),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only with this status.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List promotions, the youngest first. A new one appears after a moment."""
    wanted = promotion_status("--status", status) if status is not None else None

    async def read(client: PromotionClient) -> tuple[PromotionSummary, ...]:
        return await client.list(tenant=tenant, environment=environment, status=wanted, limit=limit)

    found = with_client(read)
    if as_json:
        out_json(found)
    elif not found:
        say("there are no such promotions")
    else:
        from engine.cli.render import summaries_view

        render(summaries_view(found))
