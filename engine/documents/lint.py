"""Checking files by themselves, without a server or a database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.documents.definitions import (
    DefinitionFile,
    Surroundings,
    checked,
    read_definition,
    require_distinct,
    templates_of,
)
from engine.errors import InputError
from engine.templates.library import Library


def lint(paths: Sequence[Path]) -> list[tuple[Path, InputError | None]]:
    """What is wrong with each file; None for a file with which nothing is.

    They may name built-in templates and each other. Which environments there are beside those of
    the files is not known here, so names of environments are not held against it.
    """
    results: dict[Path, InputError | None] = dict.fromkeys(paths)
    files: dict[Path, DefinitionFile] = {}
    for path in results:
        try:
            files[path] = read_definition(path)
        except InputError as error:
            results[path] = error
    found = {
        file.tenant: Surroundings(Library(templates_of(files.values(), file.tenant)), None)
        for file in files.values()
    }
    earlier: list[DefinitionFile] = []
    for path, file in files.items():
        try:
            require_distinct([*earlier, file])
            earlier.append(file)
            checked([file], found)
        except InputError as error:
            results[path] = error
    return list(results.items())
