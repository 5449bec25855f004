"""Collecting everything that is wrong with one file, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from engine.documents.source import Location, Problem, SourceDocument
from engine.errors import InputError
from engine.model.base import Document, Json
from engine.model.explanation import explain
from engine.model.gate_config import Groups


@dataclass
class Checker:
    """Runs checks over one file and collects what is wrong.

    Attributes:
        groups: the file's people by group.
    """

    source: SourceDocument
    groups: Groups
    problems: list[Problem] = field(default_factory=list)

    def add(self, location: Location, problem: str, remedy: str) -> None:
        """Note one thing that is wrong."""
        self.problems.append(Problem(location, problem, remedy))

    def config(
        self,
        location: Location,
        config: dict[str, Json],
        check: Callable[[], None],
        model: Callable[[], type[Document]],
    ) -> None:
        """Run `check`; what it refuses is told by `model`, which knows every place, if it can."""
        try:
            check()
        except InputError as error:
            try:
                model().model_validate(config, context={"groups": self.groups})
            except InputError:
                key = error.field.rpartition(".")[2]
                self.add((*location, key), error.problem, error.remedy)
            except ValidationError as details:
                for each in explain(details, config, model()):
                    self.add((*location, "config", *each.location), each.problem, each.remedy)
            else:
                inside = _within_config(error.field)
                self.add((*location, "config", *inside), error.problem, error.remedy)

    def names(self, location: Location, names: Sequence[str], what: str) -> None:
        """Refuse a name that an earlier entry of the list at `location` has."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                problem = f"{name!r} is the name of an earlier {what}"
                self.add((*location, index, "name"), problem, "give it another name")
            seen.add(name)

    def raise_problems(self) -> None:
        """Do nothing when nothing was noted.

        Raises:
            InputError: names every place that is wrong.
        """
        if self.problems:
            raise self.source.error(self.problems)


def _within_config(field: str) -> Location:
    """The location that stands behind `config.` in an error's field; empty where nothing does."""
    path = field.partition("config.")[2]
    return tuple(int(part) if part.isdigit() else part for part in path.split(".") if part)
