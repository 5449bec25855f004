"""`promote watch`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out_json
from engine.cli.options import AsJson, PromotionId, duration
from engine.cli.outcome import exit_code_of
from engine.cli.progress import progress
from engine.cli.session import with_client
from engine.cli.waiting import wait_for_end

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def watch(
    promotion: PromotionId,
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            help="How long to watch, such as 15m; to its end by default.",
            show_default=False,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Follow a promotion to its end; the exit code is that of `promote start --wait`.

    With --json: each state as a line of JSON.
    """
    within = duration("--timeout", timeout) if timeout else None

    async def follow(client: PromotionClient) -> PromotionState:
        if as_json:
            return await wait_for_end(client, promotion, within, partial(out_json, line=True))
        with progress(stdout_is_for_json=False) as show:
            return await wait_for_end(client, promotion, within, show)

    state = with_client(follow)
    raise typer.Exit(exit_code_of(state.status))
