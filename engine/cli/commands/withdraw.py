"""`promote withdraw`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId, User, acting_user
from engine.cli.session import with_client
from engine.cli.signing import KeyFile, PassphraseFile, Yes, signature_by

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def withdraw(
    promotion: PromotionId,
    user: User = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    key: KeyFile = None,
    key_passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take your approval back while others are still waited for; then you may vote again."""
    voter = acting_user(user)
    signature = signature_by(key, key_passphrase_file, yes=yes)

    async def send(client: PromotionClient) -> PromotionState:
        return await client.withdraw(promotion, voter, reason, signature=signature)

    state = with_client(send)
    if as_json:
        out_json(state)
    else:
        out(f"promotion {state.promotion_id}: {voter} takes the approval back")
