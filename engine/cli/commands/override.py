"""`promote override`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson, PromotionId, Reason, User, acting_user
from engine.cli.session import with_client
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.promotion import PromotionState


def override(
    promotion: PromotionId,
    gate: Annotated[
        str,
        typer.Option(
            "--gate",
            help="The gate's name; not needed where you may override only one.",
            show_default=False,
        ),
    ] = "",
    reason: Reason = "",
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Pass over a gate that holds a promotion up, for a reason that goes on record.

    Who may is said by the gate's `override` in the environment file. An overridden freeze also
    holds up none of the promotion's deployments; a freeze that is set afterwards does.
    """
    if not reason.strip():
        raise InputError("--reason", "is missing", "say why, for the record")
    who = acting_user(user)

    async def send(client: PromotionClient) -> PromotionState:
        return await client.override(promotion, who, reason, gate)

    state = with_client(send)
    if as_json:
        out_json(state)
    else:
        out(f"promotion {state.promotion_id}: overridden by {who}, now {state.status.value}")


def overrides(given: list[str]) -> dict[str, str]:
    """The values of `--override GATE=REASON`.

    Raises:
        InputError: one is not of that form, or a gate is given twice.
    """
    found: dict[str, str] = {}
    for each in given:
        gate, separator, reason = each.partition("=")
        if not separator or not gate.strip() or not reason.strip():
            raise InputError("--override", f"{each!r} is not GATE=REASON", "give both")
        if gate.strip() in found:
            raise InputError("--override", f"{gate.strip()!r} is given twice")
        found[gate.strip()] = reason.strip()
    return found
