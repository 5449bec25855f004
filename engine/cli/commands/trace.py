"""`promote trace …`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from engine.cli.console import out_json, render, say, stdout_console
from engine.cli.options import AsJson, PromotionId
from engine.cli.session import with_temporal

if TYPE_CHECKING:
    from temporalio.client import Client

    from engine.telemetry.record import SpanRecord

_NARROW = 12

group = typer.Typer(help="Look at a promotion's trace.", no_args_is_help=True)


@group.command("show")
def show(promotion: PromotionId, as_json: AsJson = False) -> None:
    """Draw a promotion's trace, finished or in flight.

    It is read from Temporal's own history, so that no collector is needed.
    """

    async def read(client: Client) -> list[SpanRecord]:
        from engine.client import PromotionClient
        from engine.projection import project

        trace = await project(client, await PromotionClient(client).workflow_id(promotion))
        return list(trace.spans)

    spans = with_temporal(read)
    if as_json:
        out_json(spans)
    elif not spans:
        say("the promotion has no trace yet: its request is not resolved")
    else:
        from engine.cli.trace_tree import BAR_COLUMNS, trace_view

        say(f"trace {spans[0].trace_id}")
        columns = max(_NARROW, min(BAR_COLUMNS, stdout_console().width // 6))
        render(trace_view(spans, datetime.now(UTC), columns))
