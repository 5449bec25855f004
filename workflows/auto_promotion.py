"""`environment.auto_promotion`: promotes by rule what has soaked in another environment."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.auto_promotion import (
        AutoPromotionActivities,
        CandidateAt,
        HoldBack,
        StartByRule,
        Succeeded,
    )
    from engine.converter import Undecodable
    from engine.model.auto_promotion import (
        AutoPromotionState,
        Candidate,
        Consideration,
        NextStep,
    )
    from engine.model.execution import ExecutionResult
    from engine.model.lineage import Lineage
    from engine.model.promotion import PromotionSnapshot
    from engine.model.status import PromotionStatus
    from engine.telemetry import events, names
    from engine.telemetry.events import event
    from workflows import waiting
    from workflows.failures import parse
    from workflows.logs import workflow_logger
    from workflows.occasions import SHORTEST_WAIT
    from workflows.options import SHORT

_log = workflow_logger(__name__)


@workflow.defn(name="environment.auto_promotion")
class AutoPromotionWorkflow:
    """Waits with the newest candidate of one environment until it has soaked, and promotes it.

    Started by the end of a promotion to the environment before, with the signal `offer`. It sleeps
    to the exact moment, looks again by the signal `look_again` when a hold was set or lifted, and
    ends when nothing waits. A newer candidate takes the place of the one that soaks, so that none
    is promoted while one soaks.
    """

    def __init__(self) -> None:
        self._of: AutoPromotionState | None = None
        self._candidate: Candidate | None = None
        self._latest: Consideration | None = None
        self._changes = 0

    @workflow.run
    async def run(self, given: AutoPromotionState | Undecodable | None = None) -> None:
        """Promote candidates until none is left.

        Args:
            given: which environment, and where the run before stopped when it was continued.

        Raises:
            ApplicationError: of type `InputError` when it was started with something else.
        """
        state = parse(AutoPromotionState, given, "the input of environment.auto_promotion")
        self._of, self._latest = state, state.latest
        self._take(state.candidate)
        while self._candidate is not None:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self.state())
            await self._go_on(state, self._candidate)

    async def _go_on(self, state: AutoPromotionState, candidate: Candidate) -> None:
        seen = self._changes
        found = await workflow.execute_local_activity_method(
            AutoPromotionActivities.consider,
            CandidateAt(
                tenant=state.tenant,
                environment=state.environment,
                candidate=candidate,
                now=workflow.now(),
            ),
            summary=candidate.release,
            **SHORT,
        )
        self._latest = found
        workflow.set_current_details(f"**{candidate.release}**: {_words(found)}")
        if self._changes != seen:
            # A hold or a newer candidate may have come while the record was read.
            return
        if found.step in (NextStep.SOAK, NextStep.HOLD):
            await self._wait(seen, found.until)
            return
        if found.step is NextStep.START:
            await self._start(state, candidate, found)
        if self._candidate is candidate:
            self._candidate = None

    async def _start(
        self, state: AutoPromotionState, candidate: Candidate, found: Consideration
    ) -> None:
        promotion = await workflow.execute_local_activity_method(
            AutoPromotionActivities.start,
            StartByRule(
                tenant=state.tenant,
                environment=state.environment,
                candidate=candidate,
                reason=found.reason,
            ),
            summary=f"{candidate.release} to {state.environment}",
            **SHORT,
        )
        _log.info(
            "%s is promoted to %s by rule",
            candidate.release,
            state.environment,
            extra=event(events.AUTO_PROMOTION_STARTED, {names.PROMOTION_ID: str(promotion)}),
        )

    async def _wait(self, seen: int, until: datetime | None) -> None:
        timeout = None
        if until is not None:
            timeout = max(SHORTEST_WAIT, (until - workflow.now()).total_seconds())
        await waiting.until(
            lambda: self._changes != seen, timeout, self._latest.reason if self._latest else None
        )

    @workflow.signal
    def offer(self, candidate: Candidate) -> None:
        """Told when a release has succeeded in the environment before."""
        self._take(candidate)

    @workflow.signal
    def look_again(self) -> None:
        """Told when a hold was set or lifted, or the rule was changed."""
        self._changes += 1

    @workflow.query
    def state(self) -> AutoPromotionState | None:
        """What waits, and what was last found about it; None before it is known."""
        if self._of is None:
            return None
        return self._of.model_copy(update={"candidate": self._candidate, "latest": self._latest})

    def _take(self, candidate: Candidate | None) -> None:
        """Take a candidate, unless the one that waits is newer or the same."""
        known = self._candidate
        if candidate is None or (known and known.succeeded_at >= candidate.succeeded_at):
            return
        self._candidate = candidate
        self._changes += 1


def _words(found: Consideration) -> str:
    until = "" if found.until is None else f" until {found.until:%Y-%m-%d %H:%M:%S} UTC"
    return found.reason + until


async def before_deploying(promotion: PromotionSnapshot, lineage: Lineage) -> None:
    """Hold automatic promotion to the environment when an earlier release is about to come back.

    Raises:
        FailureError: the hold could not be stored; a rollback goes on only with it.
    """
    if promotion.is_rollback or lineage.rolled_back is not None:
        reason = f"{promotion.release.ref} came back by promotion {promotion.promotion_id}"
        await _hold(promotion, reason)


async def after_the_end(
    promotion: PromotionSnapshot, status: PromotionStatus, execution: ExecutionResult | None
) -> None:
    """Offer what has succeeded to the environments that follow; hold after work was taken back.

    The promotion's own end stands, whatever comes of it.
    """
    try:
        if status is PromotionStatus.SUCCEEDED:
            await _offer(promotion)
        elif execution is not None and any(step.compensates for step in execution.steps):
            reason = f"promotion {promotion.promotion_id} failed and took its work back"
            await _hold(promotion, reason)
    except FailureError as error:
        _log.warning("automatic promotion does not know of the promotion's end: %s", error)


async def _hold(promotion: PromotionSnapshot, reason: str) -> None:
    if promotion.environment.auto is None:
        return
    await workflow.execute_local_activity_method(
        AutoPromotionActivities.hold,
        HoldBack(
            environment_id=promotion.environment.id,
            promotion_id=promotion.promotion_id,
            reason=reason,
            held_by=promotion.requested_by,
            at=workflow.now(),
        ),
        summary="hold automatic promotion",
        **SHORT,
    )


async def _offer(promotion: PromotionSnapshot) -> None:
    await workflow.execute_local_activity_method(
        AutoPromotionActivities.offer,
        Succeeded(
            tenant=promotion.tenant,
            tenant_id=promotion.tenant_id,
            environment=promotion.environment.name,
            promotion_id=promotion.promotion_id,
            release_id=promotion.release.id,
            release=promotion.release.ref,
        ),
        summary="automatic promotion",
        **SHORT,
    )
