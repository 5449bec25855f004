"""`promote apply`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.console import out, out_json
from engine.cli.options import AsJson
from engine.cli.session import with_store

if TYPE_CHECKING:
    from engine.model.environment import EnvironmentDefinition
    from engine.store.store import Store


def apply(
    file: Annotated[
        Path, typer.Option("--file", "-f", metavar="FILE", help="The environment file.")
    ],
    as_json: AsJson = False,
) -> None:
    """Make the environments what FILE says, and show what that changes.

    Promotions that already run keep the rules that they started with.
    """
    from engine.documents.environment_file import load_environments

    definitions = load_environments(file)

    async def write(store: Store) -> list[dict[str, object]]:
        return [await _apply(store, definition) for definition in definitions]

    results = with_store(write)
    if as_json:
        out_json({"environments": results})
        return
    for result in results:
        out(f"environment {result['tenant']}/{result['environment']}: {result['change']}")
        differences = result["differences"]
        if isinstance(differences, list):
            for line in differences:
                out(f"  {line}")


async def _apply(store: Store, definition: EnvironmentDefinition) -> dict[str, object]:
    from engine.cli.diff import differences

    before = await _stored(store, definition)
    change = await store.environments.apply(definition)
    return {
        "tenant": definition.tenant,
        "environment": definition.environment.name,
        "targets": len(definition.targets),
        "change": change.value,
        "differences": []
        if before is None
        else differences(before.model_dump(mode="json"), definition.model_dump(mode="json")),
    }


async def _stored(store: Store, definition: EnvironmentDefinition) -> EnvironmentDefinition | None:
    from engine.errors import NotFoundError

    try:
        return await store.environments.get(definition.tenant, definition.environment.name)
    except NotFoundError:
        return None
