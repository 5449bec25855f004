"""`promote reject`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId, User, acting_user
from engine.cli.session import with_client
from engine.cli.signing import KeyFile, OnBehalfOf, PassphraseFile, Yes, signature_by

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def reject(
    promotion: PromotionId,
    user: User = "",
    comment: Annotated[str, typer.Option("--comment", help="Why not.")] = "",
    on_behalf_of: OnBehalfOf = "",
    key: KeyFile = None,
    key_passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Reject a promotion, which ends it."""
    voter = acting_user(user)
    signature = signature_by(key, key_passphrase_file, yes=yes)

    async def vote(client: PromotionClient) -> PromotionState:
        return await client.reject(
            promotion, voter, comment, on_behalf_of=on_behalf_of or None, signature=signature
        )

    state = with_client(vote)
    if as_json:
        out_json(state)
    else:
        out(f"promotion {state.promotion_id}: rejected by {voter}, now {state.status.value}")
