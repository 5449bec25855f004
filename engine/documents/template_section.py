"""The template of an environment as written in its file, and the values for its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from engine.documents.checker import Checker
from engine.documents.source import Location
from engine.errors import InputError
from engine.model.environment import EnvironmentDocument
from engine.model.template import Template
from engine.templates import builtin, parameters, validate
from engine.templates.library import Library


@dataclass(frozen=True)
class ChosenTemplate:
    """What an environment follows.

    Attributes:
        template: what it is now.
        reference: how to look it up when a promotion begins; None where it is fixed.
    """

    template: Template
    reference: str | None


def chosen_template(
    checker: Checker, given: EnvironmentDocument, location: Location, library: Library
) -> ChosenTemplate:
    """The environment's template, checked together with its parameters' values."""
    at = (*location, "template")
    if isinstance(given.template, Template):
        template, reference = given.template, None
        for each in validate.problems(template, checker.groups, library):
            checker.add((*at, *each.location), each.problem, each.remedy)
    else:
        try:
            template = library.find(given.template)
        except InputError as error:
            checker.add(at, error.problem, error.remedy)
            # The file is refused anyway; any template does for the rest of the checks.
            return ChosenTemplate(builtin.resolve("standard"), None)
        reference = None if template in builtin.ALL else given.template
        for each in validate.problems(template, checker.groups, library):
            problem = f"of the template {given.template!r} {validate.named(template, each)}"
            checker.add(at, f"{problem}: {each.problem}", each.remedy)
    _check_parameters(checker, given, location, template)
    return ChosenTemplate(template, reference)


def _check_parameters(
    checker: Checker, given: EnvironmentDocument, location: Location, template: Template
) -> None:
    for each in parameters.wrong(template, given.parameters):
        checker.add((*location, "parameters", *each.location), each.problem, each.remedy)
    if given.auto is not None:
        # Nobody is asked for values when a promotion starts by itself.
        for each in parameters.missing(template, given.parameters):
            at = (*location, "parameters", *each.location)
            checker.add(at, f"{each.problem}, and auto: gives none", each.remedy)
