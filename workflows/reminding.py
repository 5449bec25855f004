"""Reminders of approvals that are waited for: one line of the log each, and word to receivers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.reminder import ApprovalReminder, send_reminder
    from engine.errors import GateError
    from engine.gates.approval import REMINDERS, ApprovalGate
    from engine.gates.configuration import applied
    from engine.model.environment import Gate
    from engine.model.gate_config import ApprovalConfig
    from engine.model.promotion import PromotionSnapshot
    from engine.model.verdict import Defer
    from engine.telemetry import events, names
    from engine.telemetry.events import event
    from engine.telemetry.failures import failure_of
    from workflows.logs import workflow_logger

_log = workflow_logger(__name__)

_ATTEMPT = timedelta(seconds=30)
_WITHIN = timedelta(minutes=30)
_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=5))


class Reminding:
    """Reminds of one gate while it waits.

    Which reminders are due is the gate's word, a figure in its verdict. What a worker that was down
    has missed is made up for by one reminder.
    """

    def __init__(self, gate: Gate, promotion: PromotionSnapshot) -> None:
        self._gate = gate
        self._promotion = promotion
        self._given = 0
        self._sending: set[asyncio.Task[None]] = set()

    def on(self, verdict: Defer) -> None:
        """Remind when a reminder is due that was not given yet. Does not wait for receivers."""
        due = verdict.attributes.get(REMINDERS)
        if self._gate.type != ApprovalGate.type or not isinstance(due, int) or due <= self._given:
            return
        self._given = due
        _log.info(
            "reminder %d: gate %s waits: %s",
            due,
            self._gate.name,
            verdict.reason,
            extra=event(
                events.APPROVAL_REMINDER,
                {
                    names.GATE_TYPE: self._gate.type,
                    names.GATE_NAME: self._gate.name,
                    REMINDERS: due,
                    events.APPROVAL_WAITING_FOR: verdict.who,
                },
            ),
        )
        for index, reminder in enumerate(self._reminders(due, verdict)):
            self._send(reminder, f"reminder {due} of gate {self._gate.name} ({index + 1})")

    def _reminders(self, number: int, verdict: Defer) -> list[ApprovalReminder]:
        try:
            receivers = applied(self._gate, ApprovalConfig).remind_by
        except GateError:
            return []
        promotion = self._promotion
        return [
            ApprovalReminder(
                key=f"{promotion.promotion_id}/{self._gate.name}/reminder/{number}/{index}",
                number=number,
                promotion_id=str(promotion.promotion_id),
                what=f"{promotion.release.ref} to {promotion.environment.name}",
                gate=self._gate.name,
                waiting_for=verdict.reason,
                who=verdict.who,
                until=verdict.until,
                receiver=receiver,
            )
            for index, receiver in enumerate(receivers)
        ]

    def _send(self, reminder: ApprovalReminder, summary: str) -> None:
        task = asyncio.create_task(_sent(reminder, summary))
        # The loop itself keeps only weak references to its tasks.
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


async def _sent(reminder: ApprovalReminder, summary: str) -> None:
    """Send it; a receiver that does not take it is told of in the log, and nothing waits for it."""
    try:
        await workflow.execute_activity(
            send_reminder,
            reminder,
            start_to_close_timeout=_ATTEMPT,
            schedule_to_close_timeout=_WITHIN,
            retry_policy=_RETRIES,
            summary=summary,
        )
    except FailureError as error:
        about: dict[str, Any] = {names.GATE_NAME: reminder.gate}
        _log.warning(
            "a reminder was not taken: %s",
            failure_of(error).message,
            extra=event(events.APPROVAL_REMINDER_LOST, about),
        )
