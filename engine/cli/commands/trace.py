"""`promote trace …`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json, render, say, stdout_console
from engine.cli.options import AsJson, PromotionId, duration
from engine.cli.session import with_client, with_temporal
from engine.errors import ExitCode

if TYPE_CHECKING:
    from temporalio.client import Client

    from activities.trace import Settlement
    from engine.cli.trace_sight import Sight
    from engine.client import PromotionClient
    from engine.telemetry.record import SpanRecord

_NARROW = 12

group = typer.Typer(help="Look at a promotion's trace.", no_args_is_help=True)


def _read(promotion: str) -> list[SpanRecord]:
    async def read(client: Client) -> list[SpanRecord]:
        from engine.client import PromotionClient
        from engine.projection import project

        trace = await project(client, await PromotionClient(client).workflow_id(promotion))
        return list(trace.spans)

    return with_temporal(read)


def _see(promotion: str) -> Sight:
    async def read(client: Client) -> Sight:
        from engine.cli.trace_sight import see
        from engine.client import PromotionClient

        return await see(client, await PromotionClient(client).workflow_id(promotion))

    return with_temporal(read)


@group.command("show")
def show(
    promotion: PromotionId,
    as_json: AsJson = False,
    as_otlp: Annotated[
        bool, typer.Option("--otlp", help="Print OTLP JSON, which tracing backends import.")
    ] = False,
) -> None:
    """Draw a promotion's trace, finished or in flight.

    It is read from Temporal's own history, so that no collector is needed. In flight, each span
    that waits tells for what: whose approval, whose turn, until when, which task on which agent.
    """
    sight = _see(promotion)
    spans = list(sight.spans)
    if as_otlp:
        from engine.telemetry.otlp_json import otlp_json

        out_json(otlp_json(spans))
    elif as_json:
        out_json(sight.as_json())
    elif not spans:
        say("the promotion has no trace yet: its request is not resolved")
        for wait in sight.unplaced:
            say(wait.text)
    else:
        from engine.cli.trace_tree import BAR_COLUMNS, trace_view

        say(f"trace {spans[0].trace_id}")
        columns = max(_NARROW, min(BAR_COLUMNS, stdout_console().width // 6))
        render(
            trace_view(
                spans, datetime.now(UTC), columns, attempts=sight.attempts, waits=sight.waits
            )
        )


@group.command("verify")
def verify(promotion: PromotionId, as_json: AsJson = False) -> None:
    """Hold an ended promotion's trace against the tracing specification: exit code 0 or 1."""
    from engine.telemetry.verification import deviations

    spans = _read(promotion)
    found = deviations(spans)
    if as_json:
        out_json({"spans": len(spans), "deviations": found})
    else:
        for line in found:
            out(line)
        say(f"{len(spans)} spans, {len(found) or 'no'} deviations")
    if found:
        raise typer.Exit(ExitCode.FAILED)


@group.command("settle")
def settle(
    promotion: PromotionId,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="How long to wait for it.")
    ] = "1m",
    as_json: AsJson = False,
) -> None:
    """Bring to the collector what it lacks of an ended promotion's trace.

    This happens by itself when a promotion ends; by hand it helps after a loss at the collector.
    """
    within = duration("--timeout", timeout)

    async def run(client: PromotionClient) -> Settlement:
        return await client.settle(promotion, within)

    settled = with_client(run)
    if as_json:
        out_json(settled)
    elif not settled.expected:
        out("nothing is to be exported: the trace is not sampled, or the worker has no collector")
    else:
        out(f"{settled.delivered} of {settled.expected} spans delivered now")
