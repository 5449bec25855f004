"""Applying files: all of them are checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.documents.definitions import (
    DefinitionFile,
    Definitions,
    Surroundings,
    checked,
    templates_of,
)
from engine.documents.library import library_of
from engine.errors import ConflictError, NotFoundError
from engine.model.environment import EnvironmentDefinition
from engine.model.template import Template
from engine.store.change import Change
from engine.store.store import Store
from engine.templates.library import reference


@dataclass(frozen=True)
class AppliedTemplate:
    """What applying a template came to."""

    tenant: str
    template: Template
    change: Change


@dataclass(frozen=True)
class AppliedEnvironment:
    """What applying an environment came to.

    Attributes:
        before: what it was; None when it is new.
    """

    before: EnvironmentDefinition | None
    definition: EnvironmentDefinition
    change: Change


@dataclass(frozen=True)
class Applied:
    """What applying files came to."""

    templates: tuple[AppliedTemplate, ...]
    environments: tuple[AppliedEnvironment, ...]


async def apply_files(store: Store, files: Sequence[DefinitionFile]) -> Applied:
    """Check the files against each other and the store, and record what they say.

    Templates are recorded first, since environments may name them.

    Raises:
        InputError: names every place that is wrong in the first file that is.
        ConflictError: a template's version is applied already with other contents.
    """
    definitions = await checked_here(store, files)
    for file in files:
        await _require_unchanged(store, file)
    templates = [
        AppliedTemplate(tenant, template, await store.templates.apply(tenant, template))
        for tenant, template in definitions.templates
    ]
    environments = [await _apply(store, definition) for definition in definitions.environments]
    return Applied(tuple(templates), tuple(environments))


async def checked_here(store: Store, files: Sequence[DefinitionFile]) -> Definitions:
    """The files' definitions, held against each other and what the store has.

    Raises:
        InputError: names every place that is wrong in the first file that is.
    """
    tenants = dict.fromkeys(file.tenant for file in files)
    found = {tenant: await _surroundings(store, files, tenant) for tenant in tenants}
    return checked(files, found)


async def _surroundings(store: Store, files: Sequence[DefinitionFile], tenant: str) -> Surroundings:
    references = [name for file in files if file.tenant == tenant for name in file.references()]
    library = await library_of(store.templates, tenant, references, templates_of(files, tenant))
    try:
        environments = await store.environments.list(tenant)
    except NotFoundError:
        environments = []
    return Surroundings(library, [each.environment.name for each in environments])


async def _require_unchanged(store: Store, file: DefinitionFile) -> None:
    template = file.template
    if template is None:
        return
    name = reference(template)
    for stored in await store.templates.find(file.tenant, [name]):
        if stored != template:
            raise ConflictError(
                file.source.field(("version",)),
                f"{name} is applied already with other contents, which promotions may be following",
                "give the new contents a version of their own",
            )


async def _apply(store: Store, definition: EnvironmentDefinition) -> AppliedEnvironment:
    try:
        before = await store.environments.get(definition.tenant, definition.environment.name)
    except NotFoundError:
        before = None
    return AppliedEnvironment(before, definition, await store.environments.apply(definition))
