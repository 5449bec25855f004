"""Several files read together: templates and environments, which may name each other."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.documents.nodes import Place
from engine.documents.source import SourceDocument, error_at
from engine.documents.yaml import read
from engine.model.environment import EnvironmentDefinition, EnvironmentFile
from engine.model.template import Template, TemplateFile
from engine.templates.library import BUILT_IN, Library, included, reference

_KINDS: dict[str, type[EnvironmentFile] | type[TemplateFile]] = {
    "environments": EnvironmentFile,
    "nodes": TemplateFile,
}
"""What a file is, by a key that no other kind has."""


@dataclass(frozen=True)
class Surroundings:
    """What files of one tenant find when they are applied.

    Attributes:
        library: the templates that they may name, those of the files among them.
        environments: the names of the environments that are applied already; None when they are
            not known.
    """

    library: Library = BUILT_IN
    environments: Collection[str] | None = ()


@dataclass(frozen=True)
class DefinitionFile:
    """A file whose values have the right types, and which is not yet held against others."""

    source: SourceDocument
    document: EnvironmentFile | TemplateFile

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.document.tenant

    @property
    def template(self) -> Template | None:
        """The template, of a template file."""
        return self.document.template if isinstance(self.document, TemplateFile) else None

    def references(self) -> Iterator[str]:
        """The templates that it names, as it names them."""
        if isinstance(self.document, TemplateFile):
            yield from included(self.document.template)
            return
        for each in self.document.environments:
            if isinstance(each.template, Template):
                yield from included(each.template)
            else:
                yield each.template

    def environment_names(self) -> tuple[str, ...]:
        """The environments that it is about."""
        if isinstance(self.document, TemplateFile):
            return ()
        return tuple(each.name for each in self.document.environments)


@dataclass(frozen=True)
class Definitions:
    """What files say, checked.

    Attributes:
        templates: with the tenant's name.
    """

    templates: tuple[tuple[str, Template], ...]
    environments: tuple[EnvironmentDefinition, ...]


def read_definitions(paths: Sequence[Path]) -> tuple[DefinitionFile, ...]:
    """Read the files, each by itself.

    Raises:
        InputError: a file is neither a template nor an environment file, or names every place that
            is wrong in the first file that is.
    """
    files = tuple(read_definition(path) for path in paths)
    require_distinct(files)
    return files


def require_distinct(files: Iterable[DefinitionFile]) -> None:
    """Do nothing when no two files are about the same thing.

    Raises:
        InputError: two are; names the later one's place.
    """
    seen: dict[tuple[str, str], DefinitionFile] = {}
    for file in files:
        for kind, name in _names(file):
            first = seen.setdefault((file.tenant, f"{kind} {name}"), file)
            if first is not file:
                location = ("name",) if kind == "template" else ("environments",)
                raise error_at(
                    file.source.path,
                    file.source.place(location),
                    f"{first.source.path} has the {kind} {name!r} too",
                    "keep one of them",
                    location,
                )


def read_definition(path: Path) -> DefinitionFile:
    """Read one file by itself.

    Raises:
        InputError: it is neither a template nor an environment file, or names every place that is
            wrong in it.
    """
    source = read(path)
    keys = source.data if isinstance(source.data, dict) else {}
    kinds = [key for key in _KINDS if key in keys]
    if not kinds:
        # A misspelt key is told as such, by the kind of file that has it.
        kinds = [kind for kind in _KINDS if difflib.get_close_matches(kind, keys, n=1)]
    if len(kinds) != 1:
        has = "both environments: and nodes:" if kinds else "neither environments: nor nodes:"
        raise error_at(
            path,
            Place(1, 1) if not keys else source.root.place,
            f"the file has {has}",
            "an environment file has environments:, and a template file has nodes:",
        )
    return DefinitionFile(source, source.validate(_KINDS[kinds[0]]))


def checked(
    files: Sequence[DefinitionFile], found: Mapping[str, Surroundings] | None = None
) -> Definitions:
    """The files' definitions, held against each other and what there is.

    Args:
        found: by tenant, what there is; nothing but what is built in where it is left out.

    Raises:
        InputError: names every place that is wrong in the first file that is.
    """
    # Gates, drivers and nodes take a while to load, which a file that cannot be read need not wait
    # for.
    from engine.documents.environment_file import definitions_of
    from engine.documents.template_file import template_of

    given = {} if found is None else found
    templates: list[tuple[str, Template]] = []
    environments: list[EnvironmentDefinition] = []
    for file in files:
        around = given.get(file.tenant) or Surroundings(Library(templates_of(files, file.tenant)))
        others = around.environments
        if others is not None:
            others = {*others, *_environments_of(files, file.tenant)}
        if isinstance(file.document, TemplateFile):
            template = template_of(file.source, file.document, around.library)
            templates.append((file.tenant, template))
        else:
            environments += definitions_of(file.source, file.document, around.library, others)
    return Definitions(tuple(templates), tuple(environments))


def templates_of(files: Iterable[DefinitionFile], tenant: str) -> tuple[Template, ...]:
    """The templates that the files have for a tenant."""
    return tuple(
        file.template for file in files if file.template is not None and file.tenant == tenant
    )


def _environments_of(files: Iterable[DefinitionFile], tenant: str) -> tuple[str, ...]:
    return tuple(
        name for file in files if file.tenant == tenant for name in file.environment_names()
    )


def _names(file: DefinitionFile) -> Iterator[tuple[str, str]]:
    if file.template is not None:
        yield "template", reference(file.template)
    for name in file.environment_names():
        yield "environment", name
