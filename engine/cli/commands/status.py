"""`promote status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.console import out_json, render
from engine.cli.options import AsJson, PromotionId
from engine.cli.session import with_client

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def status(promotion: PromotionId, as_json: AsJson = False) -> None:
    """Show where a promotion stands: its gates, votes, steps, and what it waits for."""

    async def read(client: PromotionClient) -> PromotionState:
        return await client.with_obstacles(await client.state(promotion))

    state = with_client(read)
    if as_json:
        out_json(state)
    else:
        from engine.cli.render import state_view

        render(state_view(state))
