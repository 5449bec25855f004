"""`promote approve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId, User, acting_user
from engine.cli.session import with_client

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def approve(
    promotion: PromotionId,
    user: User = "",
    comment: Annotated[str, typer.Option("--comment", help="What you have checked.")] = "",
    as_json: AsJson = False,
) -> None:
    """Approve a promotion, for as long as its release and rules stay what they are."""
    voter = acting_user(user)

    async def vote(client: PromotionClient) -> PromotionState:
        return await client.approve(promotion, voter, comment)

    state = with_client(vote)
    if as_json:
        out_json(state)
    else:
        out(f"promotion {state.promotion_id}: approved by {voter}, now {state.status.value}")
