"""The node type `security-check`."""

from __future__ import annotations

from typing import ClassVar

from engine.model.base import Document
from engine.model.security_config import SecurityConfig


class SecurityCheck:
    """Holds the scan reports against limits once more, right before the work that it guards.

    Without inputs the limits are those of the environment's security gates.
    """

    inputs: ClassVar[type[Document]] = SecurityConfig
    type: ClassVar[str] = "security-check"
