"""Which types of template node there are."""

from __future__ import annotations

from engine.errors import InputError
from engine.templates.nodes.approval import Approval
from engine.templates.nodes.deploy import Deploy
from engine.templates.nodes.security_check import SecurityCheck
from engine.templates.protocol import NodeType

_BUILT_IN: dict[str, NodeType] = {
    node.type: node for node in (Approval(), Deploy(), SecurityCheck())
}


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
        known = f"known types: {', '.join(names())}"
        raise InputError("type", f"no node type is called {type!r}", known) from None
