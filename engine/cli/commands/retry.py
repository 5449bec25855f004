"""`promote retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId, User, acting_user
from engine.cli.session import with_client

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def retry(
    promotion: PromotionId,
    node: Annotated[
        str,
        typer.Option(
            "--node",
            help=(
                "The step to run again, with all that need it. May be left out where one step is "
                "halted, or for just what had not succeeded."
            ),
        ),
    ] = "",
    user: User = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Try a promotion again from a step on, without running the steps before it again.

    A halted step of a promotion in flight is tried again. For a promotion that has failed, a new
    one is started: its gates are asked anew, and the steps that were done are taken over.
    """
    actor = acting_user(user)

    async def send(client: PromotionClient) -> PromotionState:
        return await client.retry(promotion, actor, node, reason)

    state = with_client(send)
    if as_json:
        out_json(state)
    else:
        again = (
            "" if str(state.promotion_id) in promotion else f", as promotion {state.promotion_id}"
        )
        out(f"promotion {promotion}: tried again by {actor}{again}, now {state.status.value}")
