"""`promote callback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId
from engine.cli.session import with_client
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def callback(
    promotion: PromotionId,
    gate: Annotated[str, typer.Option("--gate", help="The gate's name.")],
    token: Annotated[
        str,
        typer.Option(
            "--token",
            envvar="PROMOTE_CALLBACK_TOKEN",
            help="What the gate gave out with its question.",
            show_envvar=True,
        ),
    ],
    allow: Annotated[bool, typer.Option("--allow", help="The release may go.")] = False,
    deny: Annotated[bool, typer.Option("--deny", help="It may not.")] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, for people.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Answer an `http` gate that asked a service and waits for its callback."""
    if allow == deny:
        raise InputError("--allow", "or --deny has to be given, and only one of them")
    body = {"verdict": "allow" if allow else "deny", "reason": reason}

    async def send(client: PromotionClient) -> PromotionState:
        return await client.call_back(promotion, gate, token, body)

    state = with_client(send)
    if as_json:
        out_json(state)
    else:
        out(f"promotion {state.promotion_id}: gate {gate} has heard {body['verdict']}")
