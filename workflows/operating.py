"""What people do to steps of a running promotion: `retry` and `advance`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from engine.model.execution import StepStatus
    from engine.model.operation import StepAction, StepActionInput
    from engine.model.promotion import PromotionState, StepState
    from workflows import step_log, waiting
    from workflows.accepted import AcceptedPromotion
    from workflows.ballot import Ballot
    from workflows.failures import parse, refuse
    from workflows.logs import workflow_logger
    from workflows.record import PromotionRecord

_log = workflow_logger(__name__)

_ANSWERS_WITHIN = 20.0
"""Seconds until an update tells where the promotion stands, though the step has said nothing."""


@dataclass(frozen=True)
class _Act:
    """What can be done to steps of one status.

    Attributes:
        name: of the update, and of the signal to the run of the template.
    """

    name: str
    status: StepStatus
    none: str
    done: str


_RETRY = _Act("retry", StepStatus.HALTED, "no step is halted", "retried")
_ADVANCE = _Act("advance", StepStatus.WAITING, "no step waits to be let go on", "advanced")


class OperatedSteps(AcceptedPromotion):
    """The updates of `promotion.request` that are about single steps."""

    @workflow.update
    async def retry(self, given: Any = None) -> PromotionState:
        """Have a halted step tried again: `{"user": "bob", "node": "migrate"}`."""
        await self._until_accepted()
        return await _take(self._known(), self._ballot, _RETRY, given)

    @retry.validator
    def validate_retry(self, given: Any = None) -> None:
        """Refuse it where no such step is halted."""
        _check(self._record, _RETRY, given)

    @workflow.update
    async def advance(self, given: Any = None) -> PromotionState:
        """Let a waiting step go on: `{"user": "bob", "node": "look"}`."""
        await self._until_accepted()
        return await _take(self._known(), self._ballot, _ADVANCE, given)

    @advance.validator
    def validate_advance(self, given: Any = None) -> None:
        """Refuse it where no such step waits for it, and from whoever may not."""
        _check(self._record, _ADVANCE, given)


def _check(record: PromotionRecord | None, act: _Act, given: Any) -> None:
    message = parse(StepActionInput, given, f"the input of {act.name}")
    if record is not None:
        _step(record, act, message)


async def _take(record: PromotionRecord, ballot: Ballot, act: _Act, given: Any) -> PromotionState:
    message = parse(StepActionInput, given, f"the input of {act.name}")
    step = _step(record, act, message)
    execution = ballot.execution
    if execution is None:
        raise refuse(act.name, act.none)
    action = StepAction(
        user=message.user, node=step.node_id, reason=message.reason, at=workflow.now()
    )
    step_log.acted(act.done, step.node_id, step.type, action)
    try:
        await execution.signal(act.name, action)
    except ApplicationError as error:
        raise refuse(act.name, "the run of the template has just ended") from error
    # So that the answer tells what came of it.
    is_told = await waiting.until(
        lambda: record.is_over or record.steps[step.node_id] != step,
        _ANSWERS_WITHIN,
        f"what step {step.node_id} says to {act.name}",
    )
    if not is_told:
        _log.warning("step %s has said nothing to %s yet", step.node_id, act.name)
    return record.state()


def _step(record: PromotionRecord, act: _Act, message: StepActionInput) -> StepState:
    if record.is_over:
        raise refuse(act.name, f"the promotion is {record.status} already")
    steps = record.steps
    if message.node and message.node not in steps:
        raise refuse("node", f"no node is called {message.node!r}", f"nodes: {', '.join(steps)}")
    meant = {
        node_id: step
        for node_id, step in steps.items()
        if step.status == act.status and step.acts == act.name
    }
    if message.node and message.node not in meant:
        step = steps[message.node]
        told = step.status if step.status != act.status else f"{step.status} for something else"
        listed = f"{act.name} works on: {', '.join(meant)}" if meant else act.none
        raise refuse("node", f"{message.node!r} is {told}", listed)
    if not meant:
        raise refuse(act.name, act.none)
    if not message.node and len(meant) > 1:
        listed = f"name one of {', '.join(meant)}"
        raise refuse("node", "is missing, and several could be meant", listed)
    step = meant[message.node or next(iter(meant))]
    if step.who and message.user not in step.who:
        raise refuse(
            "user", f"{message.user!r} may not {act.name} it", f"may: {', '.join(step.who)}"
        )
    return step
