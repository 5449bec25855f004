"""Writing out the templates that a template includes.

The nodes of the included template stand in for the include: `deploy` of the template included by
the node `east` becomes `east.deploy`. Those of them that need nothing need what the include needed;
whatever needed the include needs all those of them that nothing else in it needs. What their
expressions see is told by `Node.within` (see `engine.templates.rendering`), so that the text of an
expression stays as somebody wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from engine.errors import InputError
from engine.expressions.interpolation import is_rendered_later
from engine.model.base import Json
from engine.model.template import MAX_NODES, Enclosure, Node, Template
from engine.templates import parameters
from engine.templates.library import Library, reference
from engine.templates.nodes.include import Include, IncludeInputs
from engine.templates.rendering import without_escapes

MAX_DEPTH = 8
"""How deep templates may include each other."""

_LONGEST_ID = 63


def is_include(node: Node) -> bool:
    """Whether the node stands for another template."""
    return node.type == Include.type


def written_out(template: Template, library: Library) -> Template:
    """The template without includes.

    Args:
        template: one whose own nodes fit each other.

    Raises:
        InputError: an include cannot be written out; names `nodes.<id>.…` of this template.
    """
    return template.model_copy(
        update={"nodes": tuple(_written_out(template, library, (reference(template),)))}
    )


def inputs_of(node: Node) -> IncludeInputs:
    """The inputs of an include.

    Raises:
        InputError: they are none.
    """
    try:
        return IncludeInputs.model_validate(node.inputs)
    except ValidationError as error:
        raise InputError(f"nodes.{node.id}.inputs", "are not those of an include") from error


def ends_of(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The ids of the nodes that none of the others needs."""
    needed = {need for node in nodes for need in node.needs}
    return tuple(node.id for node in nodes if node.id not in needed)


def _written_out(template: Template, library: Library, path: tuple[str, ...]) -> list[Node]:
    groups: dict[str, list[Node]] = {}
    count = 0
    for node in template.nodes:
        groups[node.id] = _inner(node, library, path) if is_include(node) else [node]
        count += len(groups[node.id])
        if count > MAX_NODES:
            problem = f"the template has more than {MAX_NODES} nodes once includes are written out"
            raise InputError(f"nodes.{node.id}", problem, "split it into several templates")
    ends = {node_id: ends_of(nodes) for node_id, nodes in groups.items()}
    return [
        node.model_copy(update={"needs": _needs(node, outer, ends)})
        for outer in template.nodes
        for node in groups[outer.id]
    ]


def _needs(node: Node, outer: Node, ends: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if is_include(outer) and node.needs:
        return node.needs
    return tuple(dict.fromkeys(end for need in outer.needs for end in ends[need]))


def _inner(node: Node, library: Library, path: tuple[str, ...]) -> list[Node]:
    given = inputs_of(node)
    field = f"nodes.{node.id}.inputs.template"
    try:
        found = library.find(given.template)
    except InputError as error:
        raise type(error)(field, error.problem, error.remedy) from error
    chain = (*path, reference(found))
    if reference(found) in path:
        listed = " includes ".join(chain[path.index(reference(found)) :])
        raise InputError(field, f"a cycle: {listed}", "remove one of these includes")
    if len(path) > MAX_DEPTH:
        problem = f"templates include each other {len(path)} deep"
        raise InputError(field, problem, f"nest at most {MAX_DEPTH} includes")
    try:
        nodes = _written_out(found, library, chain)
    except InputError as error:
        problem = f"in the template {reference(found)}: {error.field}: {error.problem}"
        raise InputError(field, problem, error.remedy) from error
    enclosure = _enclosure(node, found, given.parameters)
    return [_renamed(node, inner, enclosure, field) for inner in nodes]


def _renamed(outer: Node, inner: Node, enclosure: Enclosure, field: str) -> Node:
    node_id = f"{outer.id}.{inner.id}"
    if len(node_id) > _LONGEST_ID:
        problem = f"makes the node id {node_id!r}, which has {len(node_id)} characters"
        raise InputError(field, problem, f"shorten the ids to {_LONGEST_ID} in all")
    return inner.model_copy(
        update={
            "id": node_id,
            "needs": tuple(f"{outer.id}.{need}" for need in inner.needs),
            "within": (enclosure, *inner.within),
        }
    )


def _enclosure(node: Node, included: Template, given: Mapping[str, Json]) -> Enclosure:
    defaults = parameters.defaults(included)
    later = [name for name, value in given.items() if is_rendered_later(value)]
    now = {name: without_escapes(value) for name, value in given.items() if name not in later}
    return Enclosure(
        node=node.id,
        when=node.when,
        parameters={**defaults, **{name: given[name] for name in later}, **now},
        declared={name: included.parameters[name] for name in later if name in included.parameters},
    )
