"""`promote advance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId, User, acting_user
from engine.cli.session import with_client

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def advance(
    promotion: PromotionId,
    node: Annotated[
        str,
        typer.Option(
            "--node",
            help="The step; may be left out where one waits.",
        ),
    ] = "",
    user: User = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Let a step go on that waits for a person."""
    actor = acting_user(user)

    async def send(client: PromotionClient) -> PromotionState:
        return await client.advance(promotion, actor, node, reason)

    state = with_client(send)
    if as_json:
        out_json(state)
    else:
        out(f"promotion {state.promotion_id}: let go on by {actor}, now {state.status.value}")
