"""What is wrong with something that a person wrote, as data, so that all of it is told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from engine.model.base import Json


class Problem(NamedTuple):
    """One thing that is wrong; the three arguments of `engine.errors.InputError`, in order.

    Attributes:
        field: the path of the offending field.
        problem: what is wrong with it, in one clause.
        remedy: what to do about it; may be empty.
    """

    field: str
    problem: str
    remedy: str = ""


def problems_of(
    error: ValidationError, given: Mapping[str, Json], prefix: str
) -> tuple[Problem, ...]:
    """The problems in a validation error, one for each field, in the order of the model.

    Args:
        error: what pydantic says about `given`.
        given: what was validated. Paths are made of its own keys, without the names of union
            branches that pydantic puts between them.
        prefix: path of `given` itself.
    """
    found: dict[str, Problem] = {}
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        kind, loc = detail["type"], detail["loc"]
        # A list whose items are wrong is called too short as well, since only good ones count.
        if kind == "too_short" and any(_within(other["loc"], loc) for other in details):
            continue
        path = _path(loc, given, may_be_absent=kind == "missing")
        field = ".".join([prefix, *path])
        match kind:
            case "missing":
                new = Problem(field, "is required")
            case "extra_forbidden":
                new = Problem(field, "is not known here", "remove it or correct its spelling")
            case _:
                new = Problem(field, detail["msg"].removeprefix("Value error, "))
        before = found.get(field)
        if before is None:
            found[field] = new
        elif new.problem not in before.problem:
            found[field] = before._replace(problem=f"{before.problem}, or: {new.problem}")
    return tuple(found.values())


def merged(subject: str, problems: Sequence[Problem]) -> Problem:
    """All of one or more problems as one: alone it stays itself, several are numbered."""
    if len(problems) == 1:
        return problems[0]
    listed = "; ".join(
        f"({number}) {each.field}: {each.problem}" + (f" ({each.remedy})" if each.remedy else "")
        for number, each in enumerate(problems, start=1)
    )
    return Problem(subject, f"{len(problems)} problems: {listed}")


def _within(inner: tuple[str | int, ...], outer: tuple[str | int, ...]) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _path(loc: tuple[str | int, ...], given: object, *, may_be_absent: bool) -> list[str]:
    path: list[str] = []
    here: object = given
    for depth, part in enumerate(loc, start=1):
        if isinstance(here, list | tuple):
            here = dict(enumerate(here))
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif not (may_be_absent and depth == len(loc)):
            continue
        path.append(str(part))
    return path
