"""The node type `deploy`."""

from __future__ import annotations

from typing import ClassVar

from engine.model.base import Document
from engine.model.strategy import Strategy


class DeployInputs(Document):
    """What a deploy step takes.

    Attributes:
        strategy: how to walk over the targets; the environment's strategy when left out.
    """

    strategy: Strategy | None = None


class Deploy:
    """Brings the release to the environment's targets."""

    inputs: ClassVar[type[Document]] = DeployInputs
    type: ClassVar[str] = "deploy"
