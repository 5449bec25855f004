"""`promote auto …`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from engine.cli.console import out, out_json, render, say
from engine.cli.options import AsJson, Reason, Tenant, User, acting_user
from engine.cli.session import with_client, with_store
from engine.errors import InputError, UnreachableError

if TYPE_CHECKING:
    from engine.cli.auto_view import AutoStatus
    from engine.client import PromotionClient
    from engine.model.auto_promotion import Hold
    from engine.model.environment import Environment
    from engine.store.store import Store

group = typer.Typer(
    help="See what is promoted by rule, hold it back, and let it go on.", no_args_is_help=True
)

Named = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="Where to.", show_default=False)]


@group.command("status")
def status(
    environment: Annotated[
        str,
        typer.Argument(
            metavar="ENVIRONMENT",
            help="Only this one; all with a rule by default.",
            show_default=False,
        ),
    ] = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show rules, what holds them back, and which release waits for what until when."""

    async def read(store: Store) -> list[tuple[Environment, tuple[Hold, ...]]]:
        if environment:
            found = [(await store.environments.get(tenant, environment)).environment]
        else:
            found = [each.environment for each in await store.environments.list(tenant)]
        return [
            (each, await store.holds.of(each.id))
            for each in found
            if each.auto is not None or environment
        ]

    environments = with_store(read)

    async def ask(client: PromotionClient) -> list[AutoStatus]:
        from engine.cli.auto_view import AutoStatus

        return [
            AutoStatus(
                tenant=tenant,
                environment=each.name,
                rule=each.auto,
                holds=holds,
                waiting=await client.waiting_by_rule(tenant, each.name),
            )
            for each, holds in environments
        ]

    found = with_client(ask) if environments else []
    if as_json:
        out_json(found)
    elif not found:
        say(f"no environment of tenant {tenant} promotes anything by itself")
    else:
        from engine.cli.auto_view import auto_view

        render(auto_view(found))


@group.command("hold")
def hold(
    environment: Named,
    reason: Reason = "",
    user: User = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Promote nothing to ENVIRONMENT by itself until somebody lifts the hold.

    A rollback sets a hold by itself.
    """
    because, by = _because(reason), acting_user(user)

    async def write(store: Store) -> Hold:
        from engine.model.auto_promotion import Hold

        found = (await store.environments.get(tenant, environment)).environment
        if found.auto is None:
            problem = f"{environment} promotes nothing by itself"
            raise InputError("ENVIRONMENT", problem, "give it a rule: `auto` in its file")
        held = Hold(
            id=uuid4(),
            environment_id=found.id,
            reason=because,
            held_by=by,
            held_at=datetime.now(UTC),
        )
        await store.holds.add(held)
        return held

    held = with_store(write)
    if as_json:
        out_json(held)
    else:
        out(f"automatic promotion to {environment}: held by {by}")
    _tell(tenant, environment)


@group.command("lift")
def lift(
    environment: Named,
    reason: Reason = "",
    user: User = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Lift all holds of ENVIRONMENT; what has soaked meanwhile is promoted at once."""
    because, by = _because(reason), acting_user(user)

    async def write(store: Store) -> tuple[Hold, ...]:
        found = (await store.environments.get(tenant, environment)).environment
        return await store.holds.lift(found.id, by=by, at=datetime.now(UTC), reason=because)

    lifted = with_store(write)
    if as_json:
        out_json(lifted)
    elif lifted:
        for each in lifted:
            out(f"automatic promotion to {environment}: lifted {each.reason!r} of {each.held_by}")
    else:
        say(f"nothing holds automatic promotion to {environment} back")
    if lifted:
        _tell(tenant, environment)


def _because(reason: str) -> str:
    if not reason.strip():
        raise InputError("--reason", "is missing", "say why, for the record")
    return reason.strip()


def _tell(tenant: str, environment: str) -> None:
    async def signal(client: PromotionClient) -> bool:
        return await client.look_again_by_rule(tenant, environment)

    try:
        with_client(signal)
    except UnreachableError as error:
        raise UnreachableError(
            f"it is on record, but what waits could not be told: {error}; do it again later"
        ) from error
