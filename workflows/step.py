"""What a step of a run is: a node of the template, or what takes one's work back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.expressions.interpolation import is_rendered_later
    from engine.model import identity
    from engine.model.base import Json
    from engine.model.template import Node, OnFailure, RetryPolicy


@dataclass(frozen=True)
class Step:
    """What is to be run: a node of the template, or what takes one's work back.

    Attributes:
        node: the node; of a compensation, the one whose work is taken back.
        halt: see `Node.halt`.
    """

    node: Node
    type: str
    inputs: dict[str, Json]
    timeout: timedelta
    run_id: UUID
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    halt: timedelta = timedelta(0)
    compensates: bool = False

    @classmethod
    def of(cls, node: Node, promotion_id: UUID) -> Step:
        """The run of a node."""
        ends_the_run = node.on_failure is not OnFailure.CONTINUE
        return cls(
            node=node,
            type=node.type,
            inputs=node.inputs,
            timeout=node.timeout,
            run_id=identity.step_run_id(promotion_id, node.id),
            retry=node.retry,
            halt=node.halt if ends_the_run else timedelta(0),
        )

    @classmethod
    def back(cls, node: Node, promotion_id: UUID) -> Step:
        """What takes back the work of a node that has an `on_rollback`."""
        assert node.on_rollback is not None  # noqa: S101  # the schedule names no other
        return cls(
            node=node,
            type=node.on_rollback.type,
            inputs=node.on_rollback.inputs,
            timeout=node.on_rollback.timeout,
            run_id=identity.compensation_run_id(promotion_id, node.id),
            compensates=True,
        )

    @property
    def has_expressions(self) -> bool:
        """Whether anything of it is known only when it starts."""
        conditions = (self.node.when, *(each.when for each in self.node.within))
        is_conditional = not self.compensates and any(conditions)
        return is_conditional or is_rendered_later(dict(self.inputs))
