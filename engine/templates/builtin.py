"""The templates that an environment can name without writing them."""

from __future__ import annotations

from engine.errors import InputError
from engine.model.template import Node, Template

_STANDARD = Template(
    name="standard",
    version="1",
    nodes=(
        Node(id="security-check", type="security-check"),
        Node(id="approval", type="approval", needs=("security-check",)),
        Node(id="deploy", type="deploy", needs=("approval",)),
    ),
)

_BUILT_IN = {template.name: template for template in (_STANDARD,)}


def names() -> tuple[str, ...]:
    """The names of the built-in templates, sorted."""
    return tuple(sorted(_BUILT_IN))


def resolve(template: str | Template) -> Template:
    """The template that is meant: a built-in one by name, or the one that is given.

    Raises:
        InputError: no built-in template has that name.
    """
    if isinstance(template, Template):
        return template
    try:
        return _BUILT_IN[template]
    except KeyError:
        remedy = f"write a template out, or name one of: {', '.join(names())}"
        raise InputError("template", f"no template is called {template!r}", remedy) from None
