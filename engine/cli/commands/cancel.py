"""`promote cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId, User, acting_user
from engine.cli.session import with_client

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def cancel(
    promotion: PromotionId,
    user: User = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    as_json: AsJson = False,
) -> None:
    """Cancel a promotion. What it has changed on targets so far stays."""
    canceller = acting_user(user)

    async def send(client: PromotionClient) -> PromotionState:
        return await client.cancel(promotion, canceller, reason)

    state = with_client(send)
    if as_json:
        out_json(state)
    else:
        out(f"promotion {state.promotion_id}: cancelled by {canceller}, now {state.status.value}")
