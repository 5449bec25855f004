"""What is logged of a template's steps."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from engine.model.execution import StepResult
    from engine.model.failure import Failure
    from engine.model.operation import StepAction
    from engine.model.template import Node
    from engine.model.verdict import AttributeValue
    from engine.telemetry import events, names
    from engine.telemetry.events import event
    from workflows.logs import workflow_logger

_log = workflow_logger(__name__)


def started(node: Node, type: str) -> None:
    """A step starts."""
    _log.debug("step %s starts", node.id, extra=_event(events.STEP_STARTED, node.id, type))


def waits(node: Node, type: str, reason: str) -> None:
    """A step waits for a person or a time."""
    extra = _event(events.STEP_WAITING, node.id, type)
    _log.info("step %s waits: %s", node.id, reason, extra=extra)


def attempt_failed(node: Node, type: str, attempt: int, failure: Failure) -> None:
    """An attempt has failed, and another follows."""
    about: dict[str, AttributeValue] = {
        names.STEP_ATTEMPT: attempt,
        names.ERROR_TYPE: failure.type,
    }
    extra = _event(events.STEP_ATTEMPT_FAILED, node.id, type, about)
    _log.warning("step %s: attempt %d failed: %s", node.id, attempt, failure.message, extra=extra)


def halted(node: Node, type: str, failure: Failure) -> None:
    """A step has failed, and waits for a person."""
    extra = _event(events.STEP_HALTED, node.id, type, {names.ERROR_TYPE: failure.type})
    _log.warning("step %s is halted: %s", node.id, failure.message, extra=extra)


def acted(done: str, node_id: str, type: str, action: StepAction) -> None:
    """Somebody has let a step go on, or has had it tried again."""
    name = events.STEP_RETRIED if done == "retried" else events.STEP_ADVANCED
    why = f": {action.reason}" if action.reason else ""
    extra = _event(name, node_id, type)
    _log.info("step %s is %s by %s%s", node_id, done, action.user, why, extra=extra)


def ended(result: StepResult) -> None:
    """A step has ended."""
    about: dict[str, AttributeValue] = {events.STEP_STATUS: result.status.value}
    if result.compensates is not None:
        about[names.STEP_COMPENSATES] = result.compensates
    if result.failure is None:
        detail = f": {result.detail}" if result.detail else ""
        extra = _event(events.STEP_ENDED, result.node_id, result.type, about)
        _log.info("step %s %s%s", result.node_id, result.status.value, detail, extra=extra)
        return
    about[names.ERROR_TYPE] = result.failure.type
    extra = _event(events.STEP_ENDED, result.node_id, result.type, about)
    _log.error("step %s failed: %s", result.node_id, result.failure.message, extra=extra)


def _event(
    name: str, node_id: str, type: str, more: dict[str, AttributeValue] | None = None
) -> dict[str, Any]:
    return event(name, {names.STEP_NODE_ID: node_id, events.STEP_TYPE: type, **(more or {})})
