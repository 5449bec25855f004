"""`promotion.request`: one release to one environment, from the request to signed evidence."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.contract import Resolution, ResolveInput
    from activities.promotion import PromotionActivities
    from activities.trace import SettleRequest
    from engine.model import identity
    from engine.model.approval import CancelInput
    from engine.model.deployment import DeploymentProgress
    from engine.model.execution import ExecutionRequest, ExecutionResult
    from engine.model.lineage import Lineage
    from engine.model.lock import Superseded
    from engine.model.obstacle import Explanation
    from engine.model.promotion import (
        PromotionRequest,
        PromotionResult,
        PromotionState,
        PromotionStatus,
        StepState,
    )
    from engine.model.verdict import Decision
    from engine.policy import explanation
    from engine.telemetry import events, names, spans
    from engine.telemetry.events import event
    from engine.telemetry.failures import failure_of, root_cause
    from engine.telemetry.scope import instance, is_evicting
    from workflows import auto_promotion, overriding
    from workflows.answered_gates import AnsweredGates
    from workflows.children import started, uninterrupted
    from workflows.environment_lock import EnvironmentLock
    from workflows.execution import ExecutionWorkflow
    from workflows.failures import PROMOTION_FAILED, carried, parse, refuse
    from workflows.gates import GateEvaluation
    from workflows.logs import workflow_logger
    from workflows.operating import OperatedSteps
    from workflows.options import SHORT
    from workflows.record import PromotionRecord
    from workflows.settlement import leave_behind
    from workflows.taking_over import taken_over
    from workflows.voted_on import VotedOn

_log = workflow_logger(__name__)


@workflow.defn(name="promotion.request")
class PromotionWorkflow(OperatedSteps, VotedOn, AnsweredGates):
    """Carries one release to one environment and proves afterwards what happened."""

    def __init__(self) -> None:
        super().__init__()
        info = workflow.info()
        self._instance = instance()
        self._id = identity.promotion_id(info.workflow_id, info.first_execution_run_id)
        self._request: PromotionRequest | None = None
        self._work: asyncio.Task[None] | None = None
        self._lock = EnvironmentLock()
        self._lineage = Lineage()
        self._sampled = False
        self._settle_after: timedelta | None = None

    @workflow.run
    async def run(self, request: Any = None) -> PromotionResult:
        """Carry the promotion out.

        Args:
            request: a JSON object, see `PromotionRequest`.

        Returns:
            The result; a denial, a rejection and a cancellation are results, not failures.

        Raises:
            ApplicationError: of type `InputError` or `NotFoundError` when the request cannot be
                taken; of type `PromotionFailed` when its work broke, with the `PromotionResult`
                as the first detail.
        """
        record = await self._accept(request)
        self._work = asyncio.create_task(self._carry_out(record))
        try:
            await self._work
        except asyncio.CancelledError:
            record.end(PromotionStatus.CANCELLED)
        except FailureError as error:
            if is_cancelled_exception(error):
                record.end(PromotionStatus.CANCELLED)
            else:
                record.broke(failure_of(error))
        result: PromotionResult = await uninterrupted(self._conclude(record))
        await uninterrupted(workflow.wait_condition(workflow.all_handlers_finished))
        if result.failure is not None:
            raise ApplicationError(
                f"{result.release} to {result.environment}: {result.failure.message}",
                result,
                type=PROMOTION_FAILED,
                non_retryable=True,
            )
        if (
            result.status is PromotionStatus.CANCELLED
            and workflow.cancellation_reason() is not None
        ):
            # Cancelled in Temporal's own way, so it ends in that way too.
            raise asyncio.CancelledError
        return result

    async def _conclude(self, record: PromotionRecord) -> PromotionResult:
        is_exported = self._settle_after is not None
        result = await record.conclude(is_exported=is_exported, is_sampled=self._sampled)
        is_left = record.is_kept if not self._sampled else not record.is_stored
        if self._settle_after is not None and is_left:
            info = workflow.info()
            await leave_behind(
                SettleRequest(
                    promotion_id=self._id,
                    workflow_id=info.workflow_id,
                    run_id=info.run_id,
                    after=self._settle_after,
                )
            )
        if record.is_stored:
            await auto_promotion.after_the_end(record.promotion, result.status, record.execution)
        return result

    async def _accept(self, given: Any) -> PromotionRecord:
        try:
            self._request = parse(PromotionRequest, given, "the input of promotion.request")
            resolution = await self._resolve(self._request)
        except FailureError as error:
            cause = root_cause(error)
            if not isinstance(cause, ApplicationError):
                raise
            # As the workflow's own failure, so that its first line is for the person who asked.
            self._refusal = ApplicationError(cause.message, type=cause.type, non_retryable=True)
            _log.info(
                "the request is refused: %s",
                cause.message,
                extra=event(events.PROMOTION_REFUSED, {names.ERROR_TYPE: cause.type}),
            )
            await workflow.wait_condition(workflow.all_handlers_finished)
            raise self._refusal from error
        spans.bind(resolution.promotion, sampled=resolution.sampled)
        spans.follows(resolution.lineage)
        self._sampled, self._settle_after = resolution.sampled, resolution.settle_after
        self._lineage = resolution.lineage
        self._record = PromotionRecord(resolution.promotion, self._ballot.occasions)
        if resolution.has_freezes:
            self._freezing.note()
        promotion = resolution.promotion
        _log.info(
            "%s to %s requested by %s",
            promotion.release.ref,
            promotion.environment.name,
            promotion.requested_by,
            extra=event(events.PROMOTION_REQUESTED),
        )
        return self._record

    async def _resolve(self, request: PromotionRequest) -> Resolution:
        info = workflow.info()
        return await workflow.execute_local_activity_method(
            PromotionActivities.resolve,
            ResolveInput(
                request=request,
                promotion_id=self._id,
                workflow_id=info.workflow_id,
                run_id=info.first_execution_run_id,
                requested_at=info.workflow_start_time,
                at=workflow.now(),
                trace_id=spans.trace_id(),
                caller=spans.caller(),
            ),
            summary=f"{request.release} to {request.environment}",
            **SHORT,
        )

    async def _carry_out(self, record: PromotionRecord) -> None:
        await record.change(PromotionStatus.PENDING)
        self._override_as_requested(record)
        record.gates = GateEvaluation(
            record.promotion, self._ballot.occasions, record.show, self._freezing.are_known
        )
        record.decision = await record.gates.run()
        _log.info(
            "the gates %s the promotion",
            record.decision.value,
            extra=event(
                events.PROMOTION_DECIDED, {names.PROMOTION_DECISION: record.decision.value}
            ),
        )
        if record.decision is Decision.DENY:
            record.deny()
            return
        await auto_promotion.before_deploying(record.promotion, self._lineage)
        queued_at = workflow.now()
        self._freezing.decided()
        try:
            # A reset that takes the lock away shows at the latest when the status is stored.
            while not self._lock.is_held:
                await record.change(PromotionStatus.QUEUED)
                await self._lock.acquire(record.promotion)
                record.queued_for = workflow.now() - queued_at
                if self._lock.superseded is not None:
                    record.superseded(self._lock.superseded)
                    return
                await record.change(PromotionStatus.RUNNING)
            await self._freezing.wait(record)
            record.frozen_for = self._freezing.waited
            await self._execute(record)
        finally:
            if not is_evicting(self._instance):
                await uninterrupted(self._lock.release(record.promotion))

    def _override_as_requested(self, record: PromotionRecord) -> None:
        asked = {} if self._request is None else self._request.overrides
        for gate, reason in asked.items():
            given = {"user": record.promotion.requested_by, "gate": gate, "reason": reason}
            overriding.take(record, self._ballot.occasions, given)

    async def _execute(self, record: PromotionRecord) -> None:
        promotion, seen = record.promotion, self._ballot.occasions.votes
        done = await taken_over(promotion)
        try:
            execution = self._ballot.execution = await started(
                workflow.start_child_workflow(
                    ExecutionWorkflow.run,
                    ExecutionRequest(
                        promotion=promotion,
                        votes=seen,
                        taken_over=done,
                        exemptions=self._freezing.exemptions(record),
                    ),
                    id=f"promotion/{promotion.promotion_id}/workflow",
                    static_summary=f"template {promotion.environment.template.name}",
                )
            )
            await self._ballot.forward_since(seen)
            record.executed(await execution)
        except ChildWorkflowError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
            record.execution_failed(carried(error, ExecutionResult), failure_of(error))

    @workflow.query
    def status(self) -> PromotionState:
        """Where the promotion stands now."""
        if self._record is not None:
            return self._record.state()
        if self._request is None or self._refusal is not None:
            raise self._refusal or refuse("promotion", "it has not started", "ask again later")
        return PromotionState(
            promotion_id=self._id,
            status=PromotionStatus.PENDING,
            release=self._request.release,
            environment=self._request.environment,
            tenant=self._request.tenant,
            requested_by=self._request.requested_by,
            requested_at=workflow.info().workflow_start_time,
            trace_id=spans.trace_id(),
        )

    @workflow.query
    def explain(self) -> Explanation:
        """Why the promotion is not further, as far as it knows itself; or why it ended so."""
        if self._record is None:
            return explanation.explain(self.status())
        record = self._record
        return explanation.explain(record.state(), record.promotion.environment, record.execution)

    @workflow.update
    async def accepted(self) -> PromotionState:
        """Answer as soon as the request is resolved, or fail with the reason why it is refused."""
        await self._until_accepted()
        return self._known().state()

    @workflow.update
    async def cancel(self, given: Any = None) -> PromotionState:
        """Cancel the promotion: `{"user": "bob", "reason": "wrong release"}`."""
        message = parse(CancelInput, given, "the input of cancel")
        await self._until_accepted()
        record = self._known()
        record.cancelled_by(message.user, message.reason)
        _log.info(
            "cancelled by %s%s",
            message.user,
            f": {message.reason}" if message.reason else "",
            extra=event(events.PROMOTION_CANCELLING),
        )
        if self._work is not None:
            self._work.cancel()
        await record.change(PromotionStatus.CANCELLING)
        return record.state()

    @cancel.validator
    def validate_cancel(self, given: Any = None) -> None:
        """Refuse to cancel what has ended."""
        parse(CancelInput, given, "the input of cancel")
        if self._record is not None and self._record.is_over:
            raise refuse("cancel", f"the promotion is {self._record.status} already")

    @workflow.signal
    def lock_granted(self, nonce: str) -> None:
        """Told by `environment.lock` when this promotion may deploy, with its request's nonce."""
        self._lock.grant(nonce)

    @workflow.signal
    def lock_superseded(self, notice: Superseded) -> None:
        """Told by `environment.lock` when a newer promotion has taken this one's place."""
        self._lock.supersede(notice)

    @workflow.signal
    def step_progress(self, step: StepState) -> None:
        """Told by `workflow.execute` when a step starts, waits or ends."""
        if self._record is not None:
            self._record.step(step)
            self._freezing.stepped(self._record, step)

    @workflow.signal
    def deployment_progress(self, progress: DeploymentProgress) -> None:
        """Told by `deployment.execute` when a batch starts."""
        if self._record is not None:
            self._record.progress(progress)
