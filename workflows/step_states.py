"""Where the steps of a promotion stand, as its workflow is told."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.model.execution import StepStatus
    from engine.model.promotion import PromotionStatus, StepState
    from engine.model.template import Template


class StepStates:
    """The template's own steps, and those that take their work back.

    Attributes:
        nodes: the template's own, by node.
    """

    def __init__(self, template: Template) -> None:
        self._nodes = {
            node.id: StepState(node_id=node.id, type=node.type, status=StepStatus.PENDING)
            for node in template.nodes
        }
        self._taken_back: dict[str, StepState] = {}

    @property
    def nodes(self) -> Mapping[str, StepState]:
        """See the class."""
        return self._nodes

    @property
    def all(self) -> tuple[StepState, ...]:
        """All of them: the template's order, then what was taken back, in that order."""
        return (*self._nodes.values(), *self._taken_back.values())

    @property
    def waiting_for(self) -> list[str]:
        """What steps wait for, in words."""
        waiting = (StepStatus.WAITING, StepStatus.HALTED)
        return [step.detail for step in self.all if step.status in waiting]

    @property
    def status(self) -> PromotionStatus:
        """What a promotion is whose template runs."""
        if self._taken_back:
            return PromotionStatus.ROLLING_BACK
        steps = self._nodes.values()
        if any(step.status == StepStatus.HALTED for step in steps):
            return PromotionStatus.HALTED
        waiting = [step for step in steps if step.status == StepStatus.WAITING]
        if any(step.acts for step in waiting):
            return PromotionStatus.AWAITING_APPROVAL
        if waiting and not any(step.status == StepStatus.RUNNING for step in steps):
            return PromotionStatus.BLOCKED
        return PromotionStatus.RUNNING

    def take(self, step: StepState) -> None:
        """Take note of a step of the template, or of what takes its work back."""
        (self._nodes if step.compensates is None else self._taken_back)[step.node_id] = step
