"""`promote explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out_json, render
from engine.cli.options import AsJson, Tenant, User, acting_user
from engine.cli.session import with_client, with_store
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.model.obstacle import Explanation
    from engine.policy.forecast import Forecast
    from engine.store.store import Store


def explain(
    promotion: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The promotion's id, or the id of its workflow.",
            show_default=False,
        ),
    ] = "",
    environment: Annotated[
        str,
        typer.Option(
            "--environment", "-e", help="Where a release would go to.", show_default=False
        ),
    ] = "",
    release: Annotated[
        str,
        typer.Option("--release", "-r", help="NAME@VERSION, or its id.", show_default=False),
    ] = "",
    tenant: Tenant = "default",
    user: User = "",
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Ask as for a rollback to the release.")
    ] = False,
    call: Annotated[
        bool,
        typer.Option("--call", help="Also ask gates that call out: http, command, metric, plugin."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell why a promotion is not further: what it waits for, who can act and how, until when.

    Of one that has ended it tells why it ended so. With --environment and --release, and no ID, it
    tells whether the release would be allowed there now, and changes nothing.
    """
    if promotion:
        for option, value in (("--environment", environment), ("--release", release)):
            if value:
                raise InputError(option, "cannot be given beside ID", "leave one of them out")
        _explain(promotion, as_json=as_json)
        return
    for option, value in (("--environment", environment), ("--release", release)):
        if not value:
            raise InputError(option, "is missing", "give it, or the ID of a promotion")
    asked_by = acting_user(user)

    async def look_ahead(store: Store) -> Forecast:
        from datetime import UTC, datetime

        from engine.policy.forecast import forecast

        return await forecast(
            store,
            tenant,
            environment,
            release,
            requested_by=asked_by,
            rollback=rollback,
            now=datetime.now(UTC),
            call=call,
        )

    told = with_store(look_ahead)
    if as_json:
        out_json(told)
    else:
        from engine.cli.explain_view import forecast_view

        render(forecast_view(told))


def _explain(promotion: str, *, as_json: bool) -> None:
    async def read(client: PromotionClient) -> Explanation:
        return await client.explain(promotion)

    told = with_client(read)
    if as_json:
        out_json(told)
    else:
        from engine.cli.explain_view import explanation_view

        render(explanation_view(told))
