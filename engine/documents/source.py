"""A document that was read, and where in its file each value stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from engine.documents.problems import Location, Problem, explain
from engine.errors import InputError
from engine.model.base import Json

__all__ = ["Location", "Problem", "SourceDocument"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class SourceDocument:
    """A file's data with its lines.

    Attributes:
        path: the file, as the caller named it.
        data: the document as plain JSON data.
        lines: the line, counted from 1, of each value by its location; a mapping's value stands
            where its key stands. The document itself has the empty location.
    """

    path: Path
    data: Json
    lines: Mapping[Location, int]

    def field(self, location: Location) -> str:
        """How an error names a place: `file.yaml:12: environments[0].targets[1].agent`."""
        place = f"{self.path}:{self._line(location)}"
        return f"{place}: {_dotted(location)}" if location else place

    def error(self, problems: Iterable[Problem]) -> InputError:
        """One error for all `problems` (at least one), in the order of the file, a line each."""
        ordered = sorted(problems, key=lambda problem: self._line(problem.location))
        if len(ordered) == 1:
            (only,) = ordered
            return InputError(self.field(only.location), only.problem, only.remedy)
        lines = [
            str(InputError(self.field(each.location), each.problem, each.remedy))
            for each in ordered
        ]
        return InputError(str(self.path), "\n  ".join([f"{len(lines)} problems", *lines]))

    def validate(self, model: type[ModelT]) -> ModelT:
        """The data as a `model`.

        Raises:
            InputError: names every place that does not fit.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise self.error(explain(error, self.data, model)) from error

    def _line(self, location: Location) -> int:
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text
