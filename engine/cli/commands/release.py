"""`promote release …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json, render, say
from engine.cli.options import AsJson, Tenant
from engine.cli.session import with_store

if TYPE_CHECKING:
    from engine.model.release import Release
    from engine.store.change import Change
    from engine.store.store import Store

group = typer.Typer(help="Register releases and list them.", no_args_is_help=True)


@group.command("register")
def register(
    file: Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="The release file.")],
    as_json: AsJson = False,
) -> None:
    """Register the release that FILE describes, with the documents attached to it.

    A release never changes: registering it again does nothing, and the same version with other
    contents is refused.
    """
    from engine.documents.release_file import load_release

    loaded = load_release(file)

    async def write(store: Store) -> Change:
        return await store.releases.register(loaded.tenant, loaded.release, loaded.attachments)

    change = with_store(write)
    if as_json:
        release = loaded.release.model_dump(mode="json")
        out_json({"tenant": loaded.tenant, "change": change.value, "release": release})
    else:
        out(f"release {loaded.tenant}/{loaded.release.ref}: {change.value}")


@group.command("list")
def list_releases(
    tenant: Tenant = "default",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List a tenant's releases, the newest first."""

    async def read(store: Store) -> list[Release]:
        return await store.releases.list(tenant, limit)

    releases = with_store(read)
    if as_json:
        out_json(releases)
    elif not releases:
        say(f"tenant {tenant} has no release yet; register one with: promote release register")
    else:
        from engine.cli.render import releases_view

        render(releases_view(releases))
