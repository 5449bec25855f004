"""The templates that a name can mean: the built-in ones, and those of a tenant."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import InputError, NotFoundError
from engine.model.spelling import suggestion
from engine.model.template import Template
from engine.templates import builtin
from engine.templates.nodes.include import Include

_SEPARATOR = "@"


class Library:
    """Templates by `name` or `name@version`; a name alone means the newest version.

    Args:
        templates: a tenant's, in the order in which they were applied; the last of a name is the
            newest.
        others: `name@version` of templates that there are besides, for whoever misspells one.
    """

    def __init__(self, templates: Iterable[Template] = (), others: Iterable[str] = ()) -> None:
        self._others = tuple(others)
        self._newest = {template.name: template for template in builtin.ALL}
        self._versions = {reference(template): template for template in builtin.ALL}
        for template in templates:
            self._newest[template.name] = template
            self._versions[reference(template)] = template

    def find(self, name: str) -> Template:
        """The template that `name` or `name@version` means.

        Raises:
            NotFoundError: there is none.
            InputError: it is no such name.
        """
        plain, at, version = name.partition(_SEPARATOR)
        if not plain or (at and not version):
            problem = f"{name!r} is not the name of a template"
            raise InputError("template", problem, "write name or name@version")
        found = self._versions.get(name) if at else self._newest.get(plain)
        if found is not None:
            return found
        known = dict.fromkeys([*self._others, *self._versions])
        versions = [each.partition(_SEPARATOR) for each in known]
        if any(each == plain for each, _, _ in versions):
            listed = ", ".join(each_version for each, _, each_version in versions if each == plain)
            problem = f"the template {plain!r} has no version {version!r}"
            raise NotFoundError("template", problem, f"versions: {listed}")
        problem = f"no template is called {plain!r}"
        remedy = suggestion(plain, sorted({each for each, _, _ in versions}), "templates")
        raise NotFoundError("template", problem, f"{remedy}; apply others with: promote apply -f")


def reference(template: Template) -> str:
    """`name@version`."""
    return f"{template.name}{_SEPARATOR}{template.version}"


def included(template: Template) -> tuple[str, ...]:
    """The names of the templates that the template includes itself, as it names them."""
    includes = (node for node in template.nodes if node.type == Include.type)
    names = (node.inputs.get("template") for node in includes)
    return tuple(name for name in names if isinstance(name, str))


BUILT_IN = Library()
"""The built-in templates and no others."""
