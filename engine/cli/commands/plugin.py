"""`promote plugin …`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json, render
from engine.cli.files import read_bytes
from engine.cli.options import AsJson
from engine.errors import ExitCode, InputError

if TYPE_CHECKING:
    from engine.model.base import Json

group = typer.Typer(help="See and check the plugins that are installed.", no_args_is_help=True)


@group.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the plugins that are installed here, what they offer and where they come from.

    Exit code 1 when one of them cannot be used.
    """
    from engine.plugins import registry

    found, unusable = [], []
    for name in registry.names():
        try:
            found.append(registry.get(name))
        except InputError as error:
            unusable.append((name, error.problem))
    if as_json:
        out_json(
            [
                *(
                    {
                        "id": each.id,
                        "kind": each.kind.value,
                        "version": each.description.version,
                        "origin": each.origin,
                        "digest": each.digest,
                        "offers": each.description.model_dump(mode="json")["offers"],
                        "problem": None,
                    }
                    for each in found
                ),
                *({"id": name, "problem": problem} for name, problem in unusable),
            ]
        )
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
        for heading in ("id", "kind", "version", "offers", "from"):
            table.add_column(heading, overflow="fold")
        for each in found:
            offers = [f"{offer.kind.value} {offer.name}" for offer in each.description.offers]
            table.add_row(
                each.id,
                each.kind.value,
                Text(each.description.version),
                ", ".join(offers),
                Text(each.origin),
            )
        render(table)
        for _, problem in unusable:
            out(f"unusable: {problem}")
    if unusable:
        raise typer.Exit(ExitCode.FAILED)


@group.command("check")
def check(
    plugin: Annotated[
        str,
        typer.Argument(metavar="PATH|ID", help="An executable, or the id of an installed plugin."),
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--inputs",
            metavar="FILE",
            help="JSON object to try its offers with, beside its examples; may be given again.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try whether a plugin keeps to the protocol: exit code 0 or 1.

    It is called with `check` set in the call's context, by which it knows that it must do nothing
    that lasts.
    """
    from engine.plugins.conformance import Mark, examine

    given = [_inputs(path) for path in inputs or ()]
    path = Path(plugin)
    reference = path.absolute() if path.is_file() else plugin
    if isinstance(reference, str):
        from engine.plugins.registry import names

        if reference not in names():
            known = f"installed: {', '.join(names()) or 'none'}"
            raise InputError("PATH|ID", f"{plugin!r} is neither a file nor a plugin", known)
    findings = asyncio.run(examine(reference, given))
    if as_json:
        out_json(findings)
    else:
        for each in findings:
            told = f": {each.detail}" if each.detail else ""
            out(f"{each.mark.value:8} {each.subject}: {each.rule}{told}")
    if any(each.mark is Mark.FAILED for each in findings):
        raise typer.Exit(ExitCode.FAILED)


def _inputs(path: Path) -> dict[str, Json]:
    try:
        given = json.loads(read_bytes("--inputs", path))
    except (ValueError, RecursionError) as error:
        raise InputError("--inputs", f"{path} is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise InputError("--inputs", f"{path} holds no JSON object")
    return given
