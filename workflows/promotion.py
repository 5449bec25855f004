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
    from activities.contract import Resolution, ResolveInput, VoteRecord
    from activities.promotion import PromotionActivities
    from activities.trace import SettleRequest
    from engine.gates.approval import check_vote
    from engine.model import identity
    from engine.model.approval import CancelInput, Vote, VoteDecision, VoteInput
    from engine.model.deployment import DeploymentProgress
    from engine.model.execution import ExecutionRequest, ExecutionResult
    from engine.model.promotion import (
        PromotionRequest,
        PromotionResult,
        PromotionState,
        PromotionStatus,
        StepState,
    )
    from engine.model.verdict import Decision
    from engine.telemetry import spans
    from engine.telemetry.failures import failure_of, root_cause
    from engine.telemetry.scope import is_evicting
    from workflows.children import started, uninterrupted
    from workflows.environment_lock import EnvironmentLock
    from workflows.execution import ExecutionWorkflow
    from workflows.failures import PROMOTION_FAILED, carried, parse, refuse
    from workflows.gates import GateEvaluation, Votes
    from workflows.options import SHORT
    from workflows.record import PromotionRecord
    from workflows.settlement import leave_behind


@workflow.defn(name="promotion.request")
class PromotionWorkflow:
    """Carries one release to one environment and proves afterwards what happened."""

    def __init__(self) -> None:
        info = workflow.info()
        self._id = identity.promotion_id(info.workflow_id, info.first_execution_run_id)
        self._votes = Votes()
        self._request: PromotionRequest | None = None
        self._refusal: ApplicationError | None = None
        self._record: PromotionRecord | None = None
        self._work: asyncio.Task[None] | None = None
        self._execution: workflow.ChildWorkflowHandle[Any, Any] | None = None
        self._lock = EnvironmentLock()
        self._sampled = False
        self._settle_after: timedelta | None = None
        self._cancelled_by = ""

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
        result = await record.conclude()
        wanted = self._sampled or result.failure is not None
        wanted = wanted or result.status in record.promotion.environment.keep_traces
        if self._settle_after is not None and wanted:
            info = workflow.info()
            await leave_behind(
                SettleRequest(
                    promotion_id=self._id,
                    workflow_id=info.workflow_id,
                    run_id=info.first_execution_run_id,
                    after=self._settle_after,
                )
            )
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
            await workflow.wait_condition(workflow.all_handlers_finished)
            raise self._refusal from error
        spans.bind(resolution.promotion, sampled=resolution.sampled)
        self._sampled, self._settle_after = resolution.sampled, resolution.settle_after
        self._record = PromotionRecord(resolution.promotion, self._votes)
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
                trace_id=spans.trace_id(),
                caller=spans.caller(),
            ),
            summary=f"{request.release} to {request.environment}",
            **SHORT,
        )

    async def _carry_out(self, record: PromotionRecord) -> None:
        await record.change(PromotionStatus.PENDING)
        record.gates = GateEvaluation(record.promotion, self._votes, record.show)
        record.decision = await record.gates.run()
        if record.decision is Decision.DENY:
            record.deny()
            return
        await record.change(PromotionStatus.QUEUED)
        queued_at = workflow.now()
        try:
            await self._lock.acquire(record.promotion)
            record.queued_for = workflow.now() - queued_at
            await record.change(PromotionStatus.RUNNING)
            await self._execute(record)
        finally:
            if not is_evicting():
                await self._lock.release(record.promotion)

    async def _execute(self, record: PromotionRecord) -> None:
        promotion, seen = record.promotion, self._votes.all
        try:
            self._execution = await started(
                workflow.start_child_workflow(
                    ExecutionWorkflow.run,
                    ExecutionRequest(promotion=promotion, votes=seen),
                    id=f"promotion/{promotion.promotion_id}/workflow",
                    static_summary=f"template {promotion.environment.template.name}",
                )
            )
            for vote in self._votes.all[len(seen) :]:
                await self._forward(vote)
            record.executed(await self._execution)
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

    @workflow.update
    async def accepted(self) -> PromotionState:
        """Answer as soon as the request is resolved, or fail with the reason why it is refused."""
        await self._until_accepted()
        return self._known().state()

    @workflow.update
    async def approve(self, given: Any = None) -> PromotionState:
        """Approve the promotion: `{"user": "bob", "comment": "looks good"}`."""
        return await self._vote(given, VoteDecision.APPROVE)

    @approve.validator
    def validate_approve(self, given: Any = None) -> None:
        """Refuse a vote that cannot count, with the reason and without a trace in the history."""
        self._check_vote(given, VoteDecision.APPROVE)

    @workflow.update
    async def reject(self, given: Any = None) -> PromotionState:
        """Reject the promotion, which ends it: `{"user": "bob", "comment": "not today"}`."""
        return await self._vote(given, VoteDecision.REJECT)

    @reject.validator
    def validate_reject(self, given: Any = None) -> None:
        """Refuse a vote that cannot count, with the reason and without a trace in the history."""
        self._check_vote(given, VoteDecision.REJECT)

    @workflow.update
    async def cancel(self, given: Any = None) -> PromotionState:
        """Cancel the promotion: `{"user": "bob", "reason": "wrong release"}`."""
        message = parse(CancelInput, given, "the input of cancel")
        await self._until_accepted()
        record = self._known()
        self._cancelled_by = message.user
        record.cancelled_by(message.user, message.reason)
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
    def lock_granted(self) -> None:
        """Told by `environment.lock` when this promotion may deploy."""
        self._lock.grant()

    @workflow.signal
    def step_progress(self, step: StepState) -> None:
        """Told by `workflow.execute` when a step starts, waits or ends."""
        if self._record is not None:
            self._record.step(step)

    @workflow.signal
    def deployment_progress(self, progress: DeploymentProgress) -> None:
        """Told by `deployment.execute` when a batch starts."""
        if self._record is not None:
            self._record.progress(progress)

    async def _until_accepted(self) -> None:
        await workflow.wait_condition(lambda: self._record is not None or self._refusal is not None)
        if self._refusal is not None:
            raise ApplicationError(
                self._refusal.message, type=self._refusal.type, non_retryable=True
            )

    def _known(self) -> PromotionRecord:
        if self._record is None:
            raise refuse("promotion", "its request is not resolved yet", "ask again in a moment")
        return self._record

    def _check_vote(self, given: Any, decision: VoteDecision) -> None:
        message = parse(VoteInput, given, f"the input of {decision}")
        if self._record is None:
            # Too early to tell; the handler waits and checks.
            return
        if self._record.is_over:
            raise refuse(decision, f"the promotion is {self._record.status} already")
        problem = check_vote(self._record.promotion, self._votes.all, message.user, decision)
        if problem is not None:
            raise refuse("user", problem)

    async def _vote(self, given: Any, decision: VoteDecision) -> PromotionState:
        await self._until_accepted()
        self._check_vote(given, decision)
        record = self._known()
        message = parse(VoteInput, given, f"the input of {decision}")
        vote = Vote(
            user=message.user,
            decision=decision,
            comment=message.comment,
            binding=record.promotion.binding,
            at=workflow.now(),
        )
        self._votes.add(vote)
        record.show()
        await workflow.execute_local_activity_method(
            PromotionActivities.record_vote,
            VoteRecord(promotion_id=self._id, vote=vote),
            summary=f"{decision} by {vote.user}",
            **SHORT,
        )
        await self._forward(vote)
        return record.state()

    async def _forward(self, vote: Vote) -> None:
        if self._execution is None or self._execution.done():
            return
        try:
            await self._execution.signal(ExecutionWorkflow.vote, vote)
        except ApplicationError as error:
            # The run has just ended, and needs no vote any more.
            workflow.logger.warning("the run took no vote: %s", error)
