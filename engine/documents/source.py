"""A document that was read, and where in its file each value stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from engine.documents.nodes import Node, Place, place_of
from engine.errors import InputError
from engine.model.base import Json
from engine.model.explanation import Location, Problem, dotted, explain

__all__ = ["Location", "Problem", "SourceDocument"]

ModelT = TypeVar("ModelT", bound=BaseModel)


MAX_TOLD = 25
"""How many problems of one file are told at once."""


@dataclass(frozen=True)
class SourceDocument:
    """A file's data, and where each value stands.

    Attributes:
        path: the file, as the caller named it.
        data: the document as plain JSON data.
        root: the document as it is written.
    """

    path: Path
    data: Json
    root: Node = field(repr=False)

    def field(self, location: Location) -> str:
        """How an error names a place: `file.yaml:12:9: environments[0].targets[1].agent`."""
        return _field(self.path, self.place(location), location)

    def place(self, location: Location) -> Place:
        """Where the value at `location` stands, or what is around it when there is none."""
        return place_of(self.root, location)

    def error(self, problems: Iterable[Problem]) -> InputError:
        """One error for all `problems` (at least one), in the order of the file, a line each.

        Beyond `MAX_TOLD` they are only counted.
        """
        ordered = sorted(problems, key=lambda problem: self.place(problem.location))
        if len(ordered) == 1:
            (only,) = ordered
            return InputError(self.field(only.location), only.problem, only.remedy)
        lines = [
            str(InputError(self.field(each.location), each.problem, each.remedy))
            for each in ordered[:MAX_TOLD]
        ]
        if len(ordered) > MAX_TOLD:
            lines.append(f"and {len(ordered) - MAX_TOLD} more; correct these first")
        return InputError(str(self.path), "\n  ".join([f"{len(ordered)} problems", *lines]))

    def validate(self, model: type[ModelT]) -> ModelT:
        """The data as a `model`.

        Raises:
            InputError: names every place that does not fit.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise self.error(explain(error, self.data, model)) from error


def error_at(
    path: Path, place: Place | None, problem: str, remedy: str, location: Location = ()
) -> InputError:
    """An error about something in a file that is not read to its end; None for no known place."""
    return InputError(_field(path, place, location), problem, remedy)


def _field(path: Path, place: Place | None, location: Location) -> str:
    where = str(path) if place is None else f"{path}:{place.line}:{place.column}"
    return f"{where}: {dotted(location)}" if location else where
