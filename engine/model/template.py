"""A workflow template: a directed acyclic graph of typed nodes."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from engine.model.base import Document, Duration, Json, Name
from engine.model.canonical import digest_of


class OnFailure(StrEnum):
    """What a node's failure does to the run: end it, or let the other nodes go on."""

    FAIL = "fail"
    CONTINUE = "continue"


class Node(Document):
    """One step of a template.

    Attributes:
        id: unique within the template.
        type: a registered node type, e.g. `deploy`.
        inputs: what the node type takes; checked by it.
        needs: ids of the nodes that must have ended before this one starts.
        timeout: upper bound of the whole step, retries and waiting included.
    """

    id: Name
    type: str
    inputs: dict[str, Json] = Field(default_factory=dict)
    needs: tuple[Name, ...] = ()
    timeout: Duration = timedelta(hours=24)
    on_failure: OnFailure = OnFailure.FAIL


class Template(Document):
    """A named, versioned template."""

    name: Name
    version: str = "1"
    nodes: tuple[Node, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """Digest of the whole definition."""
        return digest_of(self)
