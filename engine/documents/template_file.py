"""Template files: what `promote apply -f` and `promote template lint` read."""

from __future__ import annotations

from engine.documents.checker import Checker
from engine.documents.source import SourceDocument
from engine.model.template import Template, TemplateFile
from engine.templates import builtin, validate
from engine.templates.library import Library


def template_of(source: SourceDocument, document: TemplateFile, library: Library) -> Template:
    """The template of a file, checked as a whole.

    Groups that its nodes name are those of an environment, and checked with it.

    Args:
        document: the file's data.
        library: the templates that it may include.

    Raises:
        InputError: names every place that is wrong.
    """
    checker = Checker(source, {})
    template = document.template
    if template.name in builtin.names():
        problem = f"{template.name!r} is the name of a built-in template"
        checker.add(("name",), problem, "give it another name")
    for each in validate.problems(template, None, library):
        checker.add(each.location, each.problem, each.remedy)
    checker.raise_problems()
    return template
