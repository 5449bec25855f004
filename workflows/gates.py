"""The evaluation of an environment's gates, side by side, until each has its last word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contract import GateRecord
    from activities.gate import GateActivities
    from activities.promotion import PromotionActivities
    from engine.gates.protocol import GateContext
    from engine.model import identity
    from engine.model.approval import Vote
    from engine.model.environment import Gate
    from engine.model.failure import Failure
    from engine.model.promotion import PromotionSnapshot
    from engine.model.verdict import (
        Allow,
        AttributeValue,
        Decision,
        Defer,
        Deny,
        GateOutcome,
        GateResult,
        GateState,
        Verdict,
    )
    from engine.telemetry import events, names, spans
    from engine.telemetry.events import event
    from engine.telemetry.failures import failure_of
    from engine.telemetry.scope import instance, is_evicting
    from workflows.children import whole
    from workflows.logs import workflow_logger
    from workflows.options import SHORT

_log = workflow_logger(__name__)

SHORTEST_WAIT = 1.0
"""Seconds; a gate that defers to a time that has passed must not be asked without a pause."""


async def ask(
    gate: Gate, promotion: PromotionSnapshot, votes: tuple[Vote, ...], opened_at: datetime
) -> Verdict:
    """Ask one gate for its verdict now.

    Raises:
        FailureError: the gate broke.
    """
    answer = await workflow.execute_local_activity_method(
        GateActivities.evaluate,
        GateContext(
            gate=gate,
            promotion=promotion,
            votes=votes,
            opened_at=opened_at,
            now=workflow.now(),
        ),
        summary=f"gate {gate.name}",
        **SHORT,
    )
    return answer.verdict


class Votes:
    """The votes of a promotion; everything that waits for one is told."""

    def __init__(self) -> None:
        self._votes: tuple[Vote, ...] = ()

    @property
    def all(self) -> tuple[Vote, ...]:
        """All votes, oldest first."""
        return self._votes

    def start_with(self, votes: tuple[Vote, ...]) -> None:
        """Put votes before those that have come in already."""
        self._votes = (*votes, *self._votes)

    def add(self, vote: Vote) -> None:
        """Add a vote."""
        self._votes = (*self._votes, vote)

    async def wait_for_more(self, than: int, until: datetime | None) -> None:
        """Sleep until there are more than `than` votes, or until the given time."""
        timeout = None
        if until is not None:
            timeout = max(SHORTEST_WAIT, (until - workflow.now()).total_seconds())
        try:
            await workflow.wait_condition(lambda: len(self._votes) > than, timeout=timeout)
        except TimeoutError:
            return


async def settle(
    gate: Gate,
    promotion: PromotionSnapshot,
    votes: Votes,
    opened_at: datetime,
    deferred: Callable[[Defer], None],
) -> Allow | Deny:
    """Ask a gate again and again, at the times that it names, until it allows or denies.

    Raises:
        FailureError: the gate broke.
    """
    while True:
        seen = len(votes.all)
        verdict = await ask(gate, promotion, votes.all, opened_at)
        if isinstance(verdict, Deny):
            return verdict
        if isinstance(verdict, Allow):
            if len(votes.all) == seen:
                return verdict
            # What was said while the gate decided may be a rejection.
            continue
        deferred(verdict)
        await votes.wait_for_more(seen, verdict.until)


class GateEvaluation:
    """All gates of one promotion.

    Args:
        changed: called whenever a gate's state has changed.
    """

    def __init__(
        self, promotion: PromotionSnapshot, votes: Votes, changed: Callable[[], None]
    ) -> None:
        self._promotion = promotion
        self._votes = votes
        self._changed = changed
        self._heard: set[str] = set()
        self._instance = instance()
        self._states = {
            gate.name: GateState(name=gate.name, type=gate.type)
            for gate in promotion.environment.gates
        }

    @property
    def states(self) -> tuple[GateState, ...]:
        """Where each gate stands, in the environment's order."""
        return tuple(self._states.values())

    @property
    def results(self) -> tuple[GateResult, ...]:
        """The results so far, in the environment's order."""
        return tuple(state.result for state in self.states if state.result is not None)

    async def run(self) -> Decision:
        """Evaluate every gate; one that fails makes the waiting of the others pointless."""
        promotion = self._promotion
        attributes: dict[str, AttributeValue] = {
            names.PROMOTION_ID: str(promotion.promotion_id),
            names.PROMOTION_GATES: tuple(self._states),
        }
        with spans.span(
            names.EVALUATE_GATES, str(promotion.promotion_id), attributes
        ) as evaluation:
            tasks = {
                gate.name: asyncio.create_task(self._evaluate(gate))
                for gate in promotion.environment.gates
            }
            decision = Decision.DENY
            try:
                try:
                    await workflow.wait_condition(lambda: self._is_decided(tasks))
                finally:
                    if not is_evicting(self._instance):
                        # Cancelled once more, the gates would end without being recorded.
                        await whole(self._end(tasks))
                decision = self._decision()
            finally:
                if not is_evicting(self._instance):
                    evaluation.set({names.PROMOTION_DECISION: decision.value})
        return decision

    def _is_decided(self, tasks: dict[str, asyncio.Task[None]]) -> bool:
        if all(task.done() for task in tasks.values()):
            return True
        if any(task.done() and task.exception() is not None for task in tasks.values()):
            return True
        # Every gate is heard once before a denial ends the waiting, so that a person who is denied
        # is told everything that stands against the release and not just the first of it.
        failed = any(result.outcome is GateOutcome.FAILED for result in self.results)
        return failed and len(self._heard) == len(self._states)

    async def _end(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        pending = {name: task for name, task in tasks.items() if not task.done()}
        for name, task in pending.items():
            # One that has its result is only about to store it.
            if self._states[name].result is None:
                task.cancel()
        if pending:
            await workflow.wait(pending.values())
        for task in tasks.values():
            task.result()

    def _decision(self) -> Decision:
        good = (GateOutcome.PASSED, GateOutcome.OVERRIDDEN, GateOutcome.SKIPPED)
        decided = len(self.results) == len(self._states)
        allowed = decided and all(result.outcome in good for result in self.results)
        return Decision.ALLOW if allowed else Decision.DENY

    async def _evaluate(self, gate: Gate) -> None:
        opened_at = workflow.now()
        with spans.span(
            names.gate(gate.type),
            identity.gate_key(self._promotion.promotion_id, gate.name),
            {names.GATE_TYPE: gate.type, names.GATE_NAME: gate.name},
        ) as span:
            result = await self._decide(gate, opened_at)
            span.set({**names.GATE_DEFAULTS.get(gate.type, {}), **result.attributes})
            span.set({names.GATE_RESULT: result.outcome.value})
            if result.error is not None:
                span.fail(result.error)
            _tell(result)
        self._states[gate.name] = GateState(name=gate.name, type=gate.type, result=result)
        self._heard.add(gate.name)
        self._changed()
        await workflow.execute_local_activity_method(
            PromotionActivities.record_gate,
            GateRecord(promotion_id=self._promotion.promotion_id, result=result),
            **SHORT,
        )

    async def _decide(self, gate: Gate, opened_at: datetime) -> GateResult:
        latest: list[Defer] = []

        def deferred(verdict: Defer) -> None:
            latest[:] = [verdict]
            _log.info(
                "gate %s waits: %s",
                gate.name,
                verdict.reason,
                extra=event(
                    events.GATE_WAITING, {names.GATE_TYPE: gate.type, names.GATE_NAME: gate.name}
                ),
            )
            self._heard.add(gate.name)
            self._states[gate.name] = GateState(
                name=gate.name,
                type=gate.type,
                waiting_for=verdict.reason,
                until=verdict.until,
                who=verdict.who,
                attributes=verdict.attributes,
            )
            self._changed()

        try:
            verdict = await settle(gate, self._promotion, self._votes, opened_at, deferred)
        except (FailureError, asyncio.CancelledError) as error:
            if isinstance(error, FailureError) and not is_cancelled_exception(error):
                failure = failure_of(error)
                reason = f"the gate broke: {failure.message}"
                return _result(gate, opened_at, GateOutcome.FAILED, reason, None, failure)
            # Another gate has decided, or the promotion was cancelled: this one has no say.
            reason = "its say was not needed any more"
            heard = latest[0] if latest else None
            return _result(gate, opened_at, GateOutcome.SKIPPED, reason, heard)
        outcome = GateOutcome.PASSED if isinstance(verdict, Allow) else GateOutcome.FAILED
        return _result(gate, opened_at, outcome, verdict.reason, verdict)


def _tell(result: GateResult) -> None:
    about: dict[str, AttributeValue | None] = {
        names.GATE_TYPE: result.type,
        names.GATE_NAME: result.name,
        names.GATE_RESULT: result.outcome.value,
        names.ERROR_TYPE: None if result.error is None else result.error.type,
    }
    _log.log(
        logging.INFO if result.error is None else logging.ERROR,
        "gate %s %s: %s",
        result.name,
        result.outcome.value,
        result.reason,
        extra=event(events.GATE_DECIDED, about),
    )


def _result(
    gate: Gate,
    opened_at: datetime,
    outcome: GateOutcome,
    reason: str,
    verdict: Verdict | None,
    error: Failure | None = None,
) -> GateResult:
    now = workflow.now()
    waited = (now - opened_at).total_seconds()
    attributes = verdict.attributes if verdict is not None else {}
    return GateResult(
        name=gate.name,
        type=gate.type,
        outcome=outcome,
        reason=reason,
        # A verdict tells the wait up to itself; the result tells all of it.
        attributes={
            key: waited if key.endswith(".wait_seconds") else value
            for key, value in attributes.items()
        },
        inputs=verdict.inputs if verdict is not None else {},
        rejected_by=verdict.rejected_by if isinstance(verdict, Deny) else None,
        error=error,
        started_at=opened_at,
        ended_at=now,
    )
