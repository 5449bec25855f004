"""Which steps of a promotion that failed need not run again when it is tried once more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from engine.model import identity
from engine.model.execution import StepResult, StepStatus
from engine.model.template import Template
from engine.templates.schedule import downstream

CHECKS = frozenset({"approval", "security-check"})
"""Types that guard what comes after them: what they said once is not taken for what they say now.
"""


def taken_over(
    template: Template,
    steps: Sequence[StepResult],
    node: str,
    before: UUID,
    now: UUID,
) -> tuple[StepResult, ...]:
    """The steps that have succeeded, as those of the promotion that tries again.

    Not among them are those whose work was taken back, or was to be; those of a type that only
    checks; and the node that is to run again, with all that need it.

    Args:
        steps: of the promotion that failed, in the order of their ends, which is kept.
        node: the node that runs again; empty for just what had not succeeded.
        before: the promotion that failed.
        now: the one that tries again.
    """
    again = downstream(template, node) if node else frozenset()
    taken_back = {step.compensates for step in steps if step.compensates is not None}
    known = {each.id: each.type for each in template.nodes}
    return tuple(
        step.model_copy(
            update={
                "run_id": identity.step_run_id(now, step.node_id),
                "detail": f"done by promotion {step.taken_over_from or before}",
                "taken_over_from": step.taken_over_from or before,
            }
        )
        for step in steps
        if step.status is StepStatus.SUCCEEDED
        and step.compensates is None
        and known.get(step.node_id) == step.type
        and step.type not in CHECKS
        and step.node_id not in taken_back | again
    )
