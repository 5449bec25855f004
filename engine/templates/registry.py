"""Which types of template node there are."""

from __future__ import annotations

from engine.errors import InputError
from engine.model.spelling import suggestion
from engine.templates.nodes.approval import Approval
from engine.templates.nodes.command import Command
from engine.templates.nodes.deploy import Deploy
from engine.templates.nodes.http import Http
from engine.templates.nodes.include import Include
from engine.templates.nodes.notify import Notify
from engine.templates.nodes.plugin import Plugin
from engine.templates.nodes.security_check import SecurityCheck
from engine.templates.nodes.verify import Verify
from engine.templates.nodes.wait import Wait
from engine.templates.protocol import NodeType, WorkingNodeType

_NODES: tuple[NodeType, ...] = (
    Approval(),
    Command(),
    Deploy(),
    Http(),
    Include(),
    Notify(),
    Plugin(),
    SecurityCheck(),
    Verify(),
    Wait(),
)
_BUILT_IN = {node.type: node for node in _NODES}


def names() -> tuple[str, ...]:
    """All known types, sorted."""
    return tuple(sorted(_BUILT_IN))


def get(type: str) -> NodeType:
    """The node type called `type`.

    Raises:
        InputError: there is none.
    """
    try:
        return _BUILT_IN[type]
    except KeyError:
        remedy = suggestion(type, names(), "known types")
        raise InputError("type", f"no node type is called {type!r}", remedy) from None


def working(type: str) -> WorkingNodeType:
    """The node type called `type`, when its work is one call; only those can take something back.

    Raises:
        InputError: there is none, or its work is another.
    """
    found = get(type)
    if not isinstance(found, WorkingNodeType):
        known = [name for name, node in _BUILT_IN.items() if isinstance(node, WorkingNodeType)]
        problem = f"{type!r} does no work that can be called"
        raise InputError("type", problem, f"types that do: {', '.join(sorted(known))}")
    return found
