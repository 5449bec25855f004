"""`promote apply`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson
from engine.cli.session import with_store

if TYPE_CHECKING:
    from engine.documents.applying import Applied, AppliedEnvironment
    from engine.store.store import Store


def apply(
    files: Annotated[
        list[Path],
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="An environment file or a template file; may be given several times.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Record the environments and templates that FILE describes, and show what that changes.

    All files are checked before anything is written. Promotions that already run keep the rules
    and the template that they started with. A version of a template never changes: new contents
    need a new version.
    """
    from engine.documents.applying import apply_files
    from engine.documents.definitions import read_definitions

    definitions = read_definitions(files)

    async def write(store: Store) -> Applied:
        return await apply_files(store, definitions)

    applied = with_store(write)
    environments = [_environment(each) for each in applied.environments]
    if as_json:
        templates = [
            {
                "tenant": each.tenant,
                "template": each.template.name,
                "version": each.template.version,
                "change": each.change.value,
            }
            for each in applied.templates
        ]
        out_json({"templates": templates, "environments": environments})
        return
    for each in applied.templates:
        reference = f"{each.template.name}@{each.template.version}"
        out(f"template {each.tenant}/{reference}: {each.change.value}")
    for result in environments:
        out(f"environment {result['tenant']}/{result['environment']}: {result['change']}")
        differences = result["differences"]
        if isinstance(differences, list):
            for line in differences:
                out(f"  {line}")


def _environment(applied: AppliedEnvironment) -> dict[str, object]:
    from engine.cli.diff import differences

    definition = applied.definition
    after = definition.model_dump(mode="json")
    return {
        "tenant": definition.tenant,
        "environment": definition.environment.name,
        "targets": len(definition.targets),
        "change": applied.change.value,
        "differences": []
        if applied.before is None
        else differences(applied.before.model_dump(mode="json"), after),
    }
