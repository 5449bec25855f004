"""What a type of template node is."""

from __future__ import annotations

from typing import ClassVar, Protocol

from engine.model.base import Document


class NodeType(Protocol):
    """One type of node. What it does is the workflows' and activities' business.

    Attributes:
        inputs: the model of a node's `inputs:`, validated with `context={"groups": …}` where the
            environment's groups are known.
        type: the name in `type:` of a template, and in the span name `workflow.step.<type>`.
    """

    inputs: ClassVar[type[Document]]
    type: ClassVar[str]
