"""What a promotion's workflow knows of itself: its status and how it came to it.

Kept apart from the workflow that drives it. Every change is shown in the Temporal UI, put into the
search attributes, and stored.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.evidence import EvidenceActivities
    from engine.model import identity, search_attributes
    from engine.model.deployment import DeploymentProgress
    from engine.model.evidence import EvidenceInput
    from engine.model.execution import ExecutionResult, StepStatus
    from engine.model.failure import Failure
    from engine.model.freeze import Closure
    from engine.model.lock import Superseded
    from engine.model.promotion import (
        EvidenceReference,
        PromotionResult,
        PromotionSnapshot,
        PromotionState,
        PromotionStatus,
        StepState,
    )
    from engine.model.trace import UnsettledTrace
    from engine.model.verdict import Decision
    from engine.telemetry import events, names, spans
    from engine.telemetry.events import event
    from engine.telemetry.failures import failure_of
    from workflows.details import details
    from workflows.gates import GateEvaluation
    from workflows.logs import workflow_logger
    from workflows.occasions import Occasions
    from workflows.options import SHORT
    from workflows.step_states import StepStates
    from workflows.stored_status import StoredStatus

_log = workflow_logger(__name__)


class PromotionRecord:
    """The state of one promotion, from the moment at which its request was resolved."""

    def __init__(self, promotion: PromotionSnapshot, occasions: Occasions) -> None:
        self.promotion = promotion
        self.gates: GateEvaluation | None = None
        self.decision: Decision | None = None
        self.queued_for = timedelta()
        self.frozen_for = timedelta()
        self.is_stored = False
        self._occasions = occasions
        self._status = PromotionStatus.PENDING
        self._final: PromotionStatus | None = None
        self._steps = StepStates(promotion.environment.template)
        self._progress = ""
        self._execution: ExecutionResult | None = None
        self._failure: Failure | None = None
        self._note = ""
        self._pauses: dict[str, Closure] = {}
        self._superseded_by: UUID | None = None
        self._evidence: EvidenceReference | None = None
        self._stored = StoredStatus(promotion.promotion_id)

    @property
    def execution(self) -> ExecutionResult | None:
        """The end of the template's run; None before, and when there was none."""
        return self._execution

    @property
    def is_over(self) -> bool:
        """Whether the decision over the promotion's end has fallen."""
        return self._final is not None

    @property
    def status(self) -> PromotionStatus:
        """Where it stands; waiting for a person or a time is told apart from work."""
        if self._final is not None:
            return self._final
        if self._status is PromotionStatus.PENDING and self.gates is not None:
            waiting = [gate for gate in self.gates.states if gate.waiting_for and not gate.result]
            if any(gate.who for gate in waiting):
                return PromotionStatus.AWAITING_APPROVAL
            if waiting:
                return PromotionStatus.BLOCKED
        if self._status is PromotionStatus.RUNNING and self._pauses:
            return PromotionStatus.PAUSED
        if self._status is PromotionStatus.RUNNING:
            return self._steps.status
        return self._status

    def pause(self, workflow_id: str, closure: Closure | None) -> None:
        """Take note of what a deployment, or with an empty id the promotion, waits for now."""
        self._pauses.pop(workflow_id, None)
        if closure is not None:
            self._pauses[workflow_id] = closure
        self.show()

    @property
    def pauses(self) -> tuple[Closure, ...]:
        """The freezes that it waits for though it was allowed."""
        return () if self.is_over else tuple(self._pauses.values())

    async def change(self, status: PromotionStatus) -> None:
        """Go on to another status."""
        self._status = status
        self._display()
        await self._store()

    def show(self) -> None:
        """Bring what the Temporal UI shows, and what promotions are found by, up to date."""
        self._display()
        if not self.is_over:
            self._stored.follow(self.status)

    def _display(self) -> None:
        workflow.set_current_details(details(self.state(), self.promotion))
        self._upsert_search_attributes()

    def step(self, step: StepState) -> None:
        """Take note of a step; of one that the template does not have, nothing."""
        if not self._has(step.node_id):
            return
        self._steps.take(step)
        self.show()

    def progress(self, progress: DeploymentProgress) -> None:
        """Take note of a deployment's batch."""
        if not self._has(progress.node_id):
            return
        self._progress = (
            f"{progress.node_id}: batch {progress.batch} of {progress.batches}, "
            f"{progress.targets_done} of {progress.targets} targets done"
        )
        self.show()

    def _has(self, node_id: str) -> bool:
        if node_id in self._steps.nodes:
            return True
        _log.warning("dropped word of %r, which is no node of the template", node_id)
        return False

    @property
    def steps(self) -> Mapping[str, StepState]:
        """Where each step of the template stands, by its node's id."""
        return self._steps.nodes

    def deny(self) -> None:
        """The gates have denied."""
        results = () if self.gates is None else self.gates.results
        rejected = any(result.rejected_by is not None for result in results)
        self.end(PromotionStatus.REJECTED if rejected else PromotionStatus.DENIED)

    def executed(self, result: ExecutionResult) -> None:
        """The template's run has ended without a failure."""
        self._execution = result
        cancelled = result.status is StepStatus.CANCELLED
        self.end(PromotionStatus.CANCELLED if cancelled else PromotionStatus.SUCCEEDED)

    def execution_failed(self, result: ExecutionResult | None, failure: Failure) -> None:
        """The template's run has failed."""
        self._execution = result
        self._failure = failure if result is None or result.failure is None else result.failure
        definite = result is not None and result.failure is not None and not result.broke
        self.end(PromotionStatus.FAILED if definite else PromotionStatus.ERRORED)

    def broke(self, failure: Failure) -> None:
        """The engine itself could not go on."""
        self._failure = failure
        self.end(PromotionStatus.ERRORED)

    def cancelled_by(self, user: str, reason: str) -> None:
        """Somebody has cancelled it."""
        self._note = f"cancelled by {user}" + (f": {reason}" if reason else "")

    def superseded(self, notice: Superseded) -> None:
        """A newer promotion has taken its place in the queue."""
        self._superseded_by = notice.by
        self._note = f"superseded by {notice.release}, promotion {notice.by}"
        self.end(PromotionStatus.SUPERSEDED)

    def end(self, status: PromotionStatus) -> None:
        """Fix how the promotion ends; the first word stands."""
        if self._final is None:
            self._final = status

    @property
    def is_kept(self) -> bool:
        """Whether the trace is exported whole though it is not sampled."""
        return self._failure is not None or self.status in self.promotion.environment.keep_traces

    async def conclude(self, *, is_exported: bool, is_sampled: bool) -> PromotionResult:
        """Make the evidence, store the end, and close the trace.

        Args:
            is_exported: whether traces are exported at all.
            is_sampled: the head decision about this one.
        """
        if self.decision is None:
            self.decision = Decision.DENY
        # The decision is in the history before anything is made of it: what follows writes to the
        # outside, and must not belong to a workflow task that is lost and decided otherwise.
        await workflow.sleep(0.001)
        try:
            await self._make_evidence()
        except FailureError as error:
            self._fail_late(error)
        self.show()
        has_trace = is_exported and (is_sampled or self.is_kept)
        try:
            await self._store(self._trace() if has_trace else None)
            self.is_stored = True
        except FailureError as error:
            self._fail_late(error)
        if self.frozen_for:
            spans.conclude({names.FREEZE_WAIT_SECONDS: self.frozen_for.total_seconds()})
        spans.conclude(
            {
                names.PROMOTION_STATUS: self.status.value,
                names.PROMOTION_DECISION: self.decision.value,
                names.LOCK_WAIT_SECONDS: self.queued_for.total_seconds(),
            },
            self._failure,
        )
        self._tell_end()
        return PromotionResult(
            promotion_id=self.promotion.promotion_id,
            status=self.status,
            decision=self.decision,
            release=self.promotion.release.ref,
            environment=self.promotion.environment.name,
            tenant=self.promotion.tenant,
            requested_by=self.promotion.requested_by,
            gates=() if self.gates is None else self.gates.results,
            failure=self._failure,
            evidence=self._evidence,
            superseded_by=self._superseded_by,
            trace_id=spans.trace_id(),
            started_at=self.promotion.requested_at,
            ended_at=workflow.now(),
        )

    def _tell_end(self) -> None:
        failure = self._failure
        _log.log(
            logging.INFO if failure is None else logging.ERROR,
            "%s to %s: %s%s",
            self.promotion.release.ref,
            self.promotion.environment.name,
            self.status.value,
            "" if failure is None else f": {failure.message}",
            extra=event(
                events.PROMOTION_ENDED,
                {
                    names.PROMOTION_STATUS: self.status.value,
                    names.ERROR_TYPE: None if failure is None else failure.type,
                },
            ),
        )

    def _fail_late(self, error: FailureError) -> None:
        """What broke at the very end; a failure from before stays the one that is told."""
        if self._failure is None:
            self._failure = failure_of(error)
            self._final = PromotionStatus.ERRORED

    def state(self) -> PromotionState:
        """The state for a person or program that asks."""
        gates = () if self.gates is None else self.gates.states
        waiting = [gate.waiting_for for gate in gates if gate.waiting_for and gate.result is None]
        waiting += self._steps.waiting_for
        waiting += [each.reason for each in self.pauses if each.reason not in waiting]
        return PromotionState(
            promotion_id=self.promotion.promotion_id,
            status=self.status,
            decision=self.decision,
            release=self.promotion.release.ref,
            release_id=self.promotion.release.id,
            release_digest=self.promotion.release.digest,
            components={each.name: each.digest for each in self.promotion.release.components},
            environment=self.promotion.environment.name,
            tenant=self.promotion.tenant,
            requested_by=self.promotion.requested_by,
            requested_at=self.promotion.requested_at,
            waiting_for="" if self.is_over else "; ".join(waiting),
            gates=gates,
            votes=tuple(vote.shown for vote in self._occasions.votes),
            steps=self._steps.all if self.decision is Decision.ALLOW else (),
            progress=self._note or self._progress,
            pauses=self.pauses,
            binding=self.promotion.binding,
            failure=self._failure,
            evidence=self._evidence,
            superseded_by=self._superseded_by,
            trace_id=spans.trace_id(),
        )

    async def _make_evidence(self) -> None:
        info = workflow.info()
        execution = self._execution
        generated = await workflow.execute_local_activity_method(
            EvidenceActivities.generate,
            EvidenceInput(
                promotion=self.promotion,
                status=self.status,
                decision=self.decision or Decision.DENY,
                gates=() if self.gates is None else self.gates.results,
                votes=self._occasions.votes,
                steps=() if execution is None else execution.steps,
                deployments=() if execution is None else execution.deployments,
                failure=self._failure,
                trace_id=spans.trace_id(),
                workflow_id=info.workflow_id,
                run_id=info.first_execution_run_id,
                started_at=self.promotion.requested_at,
                finished_at=workflow.now(),
            ),
            activity_id=str(identity.evidence_id(self.promotion.promotion_id)),
            summary="evidence",
            **SHORT,
        )
        signed = await workflow.execute_local_activity_method(
            EvidenceActivities.sign,
            generated,
            activity_id=f"{generated.id}/signature",
            summary="signature",
            **SHORT,
        )
        _log.info(
            "evidence signed by key %s",
            signed.key_id,
            extra=event(
                events.EVIDENCE_SIGNED,
                {
                    names.EVIDENCE_ID: str(signed.id),
                    names.EVIDENCE_SHA256: signed.sha256,
                    names.EVIDENCE_KEY_ID: signed.key_id,
                },
            ),
        )
        self._evidence = EvidenceReference(id=signed.id, sha256=signed.sha256, key_id=signed.key_id)

    async def _store(self, unsettled: UnsettledTrace | None = None) -> None:
        await self._stored.store(
            self.status, self.decision, self._failure, unsettled, self._superseded_by
        )

    def _trace(self) -> UnsettledTrace:
        info = workflow.info()
        return UnsettledTrace(
            promotion_id=self.promotion.promotion_id,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            trace_id=spans.trace_id(),
            ended_at=workflow.now(),
        )

    def _upsert_search_attributes(self) -> None:
        wanted = {
            search_attributes.PROMOTION_ID: str(self.promotion.promotion_id),
            search_attributes.PROMOTION_STATUS: self.status.value,
            search_attributes.RELEASE_ID: str(self.promotion.release.id),
            search_attributes.RELEASE_VERSION: self.promotion.release.version,
            search_attributes.ENVIRONMENT_NAME: self.promotion.environment.name,
            search_attributes.TENANT_ID: str(self.promotion.tenant_id),
            search_attributes.TRACE_ID: spans.trace_id(),
        }
        if self.decision is not None:
            wanted[search_attributes.PROMOTION_DECISION] = self.decision.value
        known = workflow.info().typed_search_attributes
        # Every upsert is an event in the history, so only what differs is put.
        changes = [
            key.value_set(value)
            for name, value in wanted.items()
            if known.get(key := SearchAttributeKey.for_keyword(name)) != value
        ]
        if changes:
            workflow.upsert_search_attributes(changes)
