"""The strategy `rolling`: batches of one size, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.model.environment import Target
from engine.model.strategy import Rolling
from engine.strategies.protocol import Plan


class RollingPlanner:
    """Cuts the targets into batches of `batch_size`.

    A percentage is of all targets, rounded down so that no batch exceeds it, but at least one
    target.
    """

    type: ClassVar[str] = "rolling"

    def plan(self, strategy: Rolling, targets: Sequence[Target]) -> Plan:
        """The plan for one or more targets."""
        size = _batch_size(strategy.batch_size, len(targets))
        return Plan(
            batch_size=size,
            batches=tuple(
                tuple(targets[begin : begin + size]) for begin in range(0, len(targets), size)
            ),
        )


def _batch_size(configured: int | str, count: int) -> int:
    if isinstance(configured, str):
        return max(1, count * int(configured.removesuffix("%")) // 100)
    return min(configured, count)
