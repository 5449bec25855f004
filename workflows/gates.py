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
    from activities.promotion import PromotionActivities
    from engine.gates.asking import NOT_NEEDED
    from engine.gates.freezes import STOP_THE_LINE, keeper
    from engine.model import identity
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
        Override,
        Skip,
        Verdict,
    )
    from engine.telemetry import events, names, spans
    from engine.telemetry.events import event
    from engine.telemetry.failures import failure_of
    from engine.telemetry.scope import instance, is_evicting
    from workflows.asking import settle
    from workflows.children import whole
    from workflows.logs import workflow_logger
    from workflows.occasions import Occasions
    from workflows.options import SHORT

_log = workflow_logger(__name__)


class GateEvaluation:
    """All gates of one promotion.

    Where none of the environment's gates looks at the freezes by hand, `STOP_THE_LINE` does, once
    there are any.

    Args:
        changed: called whenever a gate's state has changed.
        is_frozen: whether there are, or have been, freezes by hand for the environment.
    """

    def __init__(
        self,
        promotion: PromotionSnapshot,
        occasions: Occasions,
        changed: Callable[[], None],
        is_frozen: Callable[[], bool] = lambda: False,
    ) -> None:
        self._promotion = promotion
        self._is_frozen = is_frozen
        self._occasions = occasions
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
            if keeper(promotion.environment) is STOP_THE_LINE:
                tasks[STOP_THE_LINE.name] = asyncio.create_task(self._stand_by())
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
                    evaluation.set({names.PROMOTION_GATES: tuple(self._states)})
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
            if name not in self._states or self._states[name].result is None:
                task.cancel()
        if pending:
            await workflow.wait(pending.values())
        for task in tasks.values():
            task.result()

    async def _stand_by(self) -> None:
        """Evaluate `STOP_THE_LINE` as soon as there are freezes; not at all when there are none."""
        others = len(self._states)
        try:
            await workflow.wait_condition(lambda: self._is_frozen() or len(self.results) == others)
        except asyncio.CancelledError:
            # The others have decided, or the promotion was cancelled: nobody was asked here.
            return
        if self._is_frozen():
            gate = STOP_THE_LINE
            self._states[gate.name] = GateState(name=gate.name, type=gate.type)
            await self._evaluate(gate)

    def override_late(self, override: Override) -> GateResult | None:
        """Take note that a gate which had passed is passed over now; its result, if it has one."""
        state = self._states.get(override.gate)
        if state is None or state.result is None:
            return None
        result = state.result.model_copy(
            update={
                "outcome": GateOutcome.OVERRIDDEN,
                "reason": f"overridden by {override.user}: {override.reason}",
                "overridden": override,
            }
        )
        self._states[override.gate] = state.model_copy(update={"result": result})
        self._changed()
        return result

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
        self._occasions.ring()
        self._changed()
        await workflow.execute_local_activity_method(
            PromotionActivities.record_gate,
            GateRecord(promotion_id=self._promotion.promotion_id, result=result),
            **SHORT,
        )

    async def _decide(self, gate: Gate, opened_at: datetime) -> GateResult:
        latest: list[Verdict] = []

        def deferred(verdict: Defer) -> None:
            if not latest or latest[0].reason != verdict.reason:
                _tell_wait(gate, verdict)
            latest[:] = [verdict]
            self._heard.add(gate.name)
            self._states[gate.name] = GateState(
                name=gate.name,
                type=gate.type,
                waiting_for=verdict.reason,
                until=verdict.until,
                who=verdict.who,
                attributes=verdict.attributes,
                callback_token=verdict.callback_token,
            )
            self._changed()

        try:
            verdict = await settle(
                gate,
                self._promotion,
                self._occasions,
                opened_at,
                deferred,
                lambda: self.results,
                lambda: self._is_last(gate),
                latest.append,
            )
        except (FailureError, asyncio.CancelledError) as error:
            if isinstance(error, FailureError) and not is_cancelled_exception(error):
                failure = failure_of(error)
                return _broken(gate, opened_at, failure)
            # Another gate has decided, or the promotion was cancelled: this one has no say.
            reason = NOT_NEEDED
            heard = latest[-1] if latest else None
            return _result(gate, opened_at, GateOutcome.SKIPPED, reason, heard)
        if isinstance(verdict, Override):
            reason = f"overridden by {verdict.user}: {verdict.reason}"
            heard = latest[-1] if latest else None
            outcome = GateOutcome.OVERRIDDEN
            return _result(gate, opened_at, outcome, reason, heard, overridden=verdict)
        outcome = _OUTCOMES[type(verdict)]
        return _result(gate, opened_at, outcome, verdict.reason, verdict)

    def _is_last(self, gate: Gate) -> bool:
        """Whether a gate that looks at the clock is asked after all that may take their time."""
        if gate.type != _LOOKS_LAST:
            return True
        return all(
            state.result is not None
            for state in self.states
            if state.type not in (_LOOKS_LAST, _READS_RESULTS)
        )


_LOOKS_LAST = "freeze_window"
_READS_RESULTS = "policy"
_OUTCOMES: dict[type[Allow | Deny | Skip], GateOutcome] = {
    Allow: GateOutcome.PASSED,
    Deny: GateOutcome.FAILED,
    Skip: GateOutcome.SKIPPED,
}


def _broken(gate: Gate, opened_at: datetime, failure: Failure) -> GateResult:
    reason = f"the gate broke: {failure.message}"
    outcome = GateOutcome.FAILED
    if gate.on_error == "allow":
        reason, outcome = f"{reason}; passed over, since its on_error is allow", GateOutcome.PASSED
    return _result(gate, opened_at, outcome, reason, None, failure)


def _tell_wait(gate: Gate, verdict: Defer) -> None:
    # What waits for other gates only is nothing that a person or a clock has to do with.
    is_news = verdict.until is not None or bool(verdict.who) or bool(verdict.callback_token)
    _log.log(
        logging.INFO if is_news else logging.DEBUG,
        "gate %s waits: %s",
        gate.name,
        verdict.reason,
        extra=event(events.GATE_WAITING, {names.GATE_TYPE: gate.type, names.GATE_NAME: gate.name}),
    )


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
    overridden: Override | None = None,
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
        evidence=verdict.evidence if verdict is not None else {},
        facts=verdict.facts if verdict is not None else {},
        asked_at=verdict.asked_at if verdict is not None else None,
        overridden=overridden,
        rejected_by=verdict.rejected_by if isinstance(verdict, Deny) else None,
        error=error,
        started_at=opened_at,
        ended_at=now,
    )
