"""The strategy `all_at_once`: one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.environment import Target
from engine.model.strategy import AllAtOnce
from engine.strategies.protocol import Plan


class AllAtOncePlanner:
    """Puts every target in one batch."""

    type: ClassVar[str] = "all_at_once"

    def plan(self, strategy: AllAtOnce, targets: Sequence[Target]) -> Plan:
        """The plan for one or more targets."""
        return Plan(batch_size=len(targets), batches=(tuple(targets),))
