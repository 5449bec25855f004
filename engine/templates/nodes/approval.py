"""The node type `approval`."""

from __future__ import annotations

from typing import ClassVar

from engine.model.base import Document
from engine.model.gate_config import ApprovalInputs


class Approval:
    """Waits for an approval of its own; without inputs, for those that the environment requires."""

    inputs: ClassVar[type[Document]] = ApprovalInputs
    type: ClassVar[str] = "approval"
