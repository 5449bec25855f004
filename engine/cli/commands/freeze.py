"""`promote freeze …`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from engine.cli.console import out, out_json, render, say
from engine.cli.options import AsJson, Reason, Tenant, User, acting_user, moment
from engine.cli.session import with_client, with_store
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.client import PromotionClient
    from engine.gates.outlook import Outlook
    from engine.model.freeze import Freeze
    from engine.store.store import Store

group = typer.Typer(
    help="Stop promotions for a time, and see when they are stopped.", no_args_is_help=True
)

Environment = Annotated[
    str,
    typer.Option("--environment", "-e", help="Only of this environment.", show_default=False),
]
Everywhere = Annotated[bool, typer.Option("--all", help="Of all the tenant's environments.")]


@group.command("stop-the-line")
def stop_the_line(
    environment: Environment = "",
    everywhere: Everywhere = False,
    reason: Reason = "",
    user: User = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Deny new promotions, and pause those under way before their next batch, from now on.

    It lasts until somebody lifts it: promote freeze lift NAME --reason WHY.
    """
    _scope(environment, everywhere=everywhere)
    name = f"stop-the-line-{environment}" if environment else "stop-the-line"
    now = datetime.now(UTC)
    _add(name, environment, reason, user, tenant, start=now, end=None, stops=True, as_json=as_json)


@group.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    start: Annotated[
        str, typer.Option("--start", help="When it begins, like 2026-12-24T12:00; now by default.")
    ] = "",
    end: Annotated[
        str, typer.Option("--end", help="When it ends; when left out, when it is lifted.")
    ] = "",
    timezone: Annotated[
        str,
        typer.Option("--timezone", help="Of times without an offset, like Europe/Berlin."),
    ] = "",
    environment: Environment = "",
    everywhere: Everywhere = False,
    reason: Reason = "",
    user: User = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Plan a freeze. Within it an environment's freeze_window gate does as for its own windows."""
    _scope(environment, everywhere=everywhere)
    now = datetime.now(UTC)
    begins = moment("--start", start, timezone) if start else now
    ends = moment("--end", end, timezone) if end else None
    if ends is not None and ends <= max(begins, now):
        raise InputError("--end", f"{end} is not after its begin, or is past", "give a later one")
    _add(
        name, environment, reason, user, tenant, start=begins, end=ends, stops=False,
        as_json=as_json,
    )  # fmt: skip


@group.command("lift")
def lift(
    freeze: Annotated[str, typer.Argument(metavar="NAME|ID", help="Which freeze.")],
    reason: Reason = "",
    user: User = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """End a freeze that was set by hand; what waits for it goes on."""
    why, who = _because(reason), acting_user(user)

    async def write(store: Store) -> tuple[Freeze, tuple[str, ...]]:
        at = datetime.now(UTC)
        return await store.freezes.lift(tenant, freeze, user=who, reason=why, at=at)

    lifted, concerned = with_store(write)
    if as_json:
        out_json(lifted)
    else:
        out(f"freeze {lifted.name}: lifted by {who}")
    _tell(concerned)


@group.command("list")
def list_freezes(
    environment: Environment = "",
    tenant: Tenant = "default",
    count: Annotated[
        int, typer.Option("--next", min=1, max=100, help="Of each window at most so many times.")
    ] = 3,
    past: Annotated[
        bool, typer.Option("--past", help="Also freezes by hand that are over.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show freezes by hand, and when the windows of the environments' gates come next."""
    now = datetime.now(UTC)

    async def read(store: Store) -> tuple[list[Freeze], list[Outlook]]:
        from engine.gates.outlook import outlook

        if environment:
            definitions = [await store.environments.get(tenant, environment)]
        else:
            definitions = await store.environments.list(tenant)
        freezes = await store.freezes.list(tenant, now, past=past)
        if environment:
            freezes = [one for one in freezes if one.environment in (None, environment)]
        windows = [
            each
            for definition in definitions
            for each in outlook(definition.environment, now, count)
        ]
        return freezes, windows

    freezes, windows = with_store(read)
    if as_json:
        out_json(
            {
                "freezes": [each.model_dump(mode="json") for each in freezes],
                "windows": [each.model_dump(mode="json") for each in windows],
            }
        )
        return
    from engine.cli.freeze_table import freezes_view, windows_view

    if not freezes and not windows:
        say("there is no freeze, and none to come")
    if freezes:
        render(freezes_view(freezes, now))
    if windows:
        render(windows_view(windows))


def _scope(environment: str, *, everywhere: bool) -> None:
    if bool(environment) == everywhere:
        raise InputError(
            "--environment", "give either this, or --all for all environments of the tenant"
        )


def _because(reason: str) -> str:
    if not reason.strip():
        raise InputError("--reason", "is missing", "say why, for the record")
    return reason.strip()


def _add(
    name: str,
    environment: str,
    reason: str,
    user: str,
    tenant: str,
    *,
    start: datetime,
    end: datetime | None,
    stops: bool,
    as_json: bool,
) -> None:
    from engine.model.freeze import Freeze
    from engine.model.identity import tenant_id

    freeze = Freeze(
        id=uuid4(),
        tenant_id=tenant_id(tenant),
        name=_checked_name(name),
        environment=environment or None,
        reason=_because(reason),
        stops_the_line=stops,
        start=start,
        end=end,
        created_by=acting_user(user),
        created_at=datetime.now(UTC),
    )

    async def write(store: Store) -> tuple[str, ...]:
        return await store.freezes.add(tenant, freeze)

    concerned = with_store(write)
    if as_json:
        out_json(freeze)
    else:
        where = environment or "all environments"
        until = "it is lifted" if end is None else f"{end:%Y-%m-%d %H:%M} UTC"
        out(f"freeze {freeze.name}: {where}, from {start:%Y-%m-%d %H:%M} UTC until {until}")
    _tell(concerned)


def _checked_name(name: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from engine.model.base import Name

    try:
        return TypeAdapter[str](Name).validate_python(name)
    except ValidationError as error:
        raise InputError(
            "NAME", f"{name!r} is no name", "use lower-case letters, digits, '.', '_' and '-'"
        ) from error


def _tell(workflow_ids: tuple[str, ...]) -> None:
    if not workflow_ids:
        return

    async def signal(client: PromotionClient) -> int:
        return await client.freezes_changed(workflow_ids)

    told = with_client(signal)
    say(f"{told} promotions under way were told")
