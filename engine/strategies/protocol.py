"""What a strategy's planner is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, TypeVar

from pydantic import Field

from engine.model.base import Value
from engine.model.environment import Target

StrategyT_contra = TypeVar("StrategyT_contra", contravariant=True)


class Plan(Value):
    """The order in which targets are changed.

    Attributes:
        batch_size: targets in each batch; the last batch may have fewer.
        batches: every target exactly once, in the order given; no batch is empty.
    """

    batch_size: int = Field(ge=1)
    batches: tuple[tuple[Target, ...], ...]


class Planner(Protocol[StrategyT_contra]):
    """One type of strategy. Implementations hold no state.

    Attributes:
        type: the name in `strategy: {type: …}`.
    """

    type: ClassVar[str]

    def plan(self, strategy: StrategyT_contra, targets: Sequence[Target]) -> Plan:
        """The plan for one or more targets."""
        ...
