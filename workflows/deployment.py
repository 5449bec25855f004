"""`deployment.execute`: one strategy over the targets of an environment."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import (
    ApplicationError,
    FailureError,
    TimeoutType,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

with workflow.unsafe.imports_passed_through():
    from activities.contract import JobRecord
    from activities.deployment import DeploymentActivities
    from engine.converter import Undecodable
    from engine.model.agent_task import AgentTask, TaskReport, TaskResult, TaskStatus
    from engine.model.deployment import (
        Assignment,
        DeploymentPause,
        DeploymentProgress,
        DeploymentRequest,
        DeploymentResult,
        JobStatus,
        TargetPlan,
    )
    from engine.model.failure import Failure
    from engine.model.freeze import Closure
    from engine.model.verdict import AttributeValue, Override
    from engine.telemetry import events, names, spans
    from engine.telemetry.conventions import DEPLOYMENT_STATUSES
    from engine.telemetry.events import event
    from engine.telemetry.failures import failure_of, root_cause
    from workflows.boundary import Boundary
    from workflows.children import uninterrupted
    from workflows.failures import parse
    from workflows.logs import workflow_logger
    from workflows.options import ON_AGENT, SHORT
    from workflows.signals import tell_promotion

_log = workflow_logger(__name__)


@workflow.defn(name="deployment.execute")
class DeploymentWorkflow:
    """Deploys a release to all targets, batch after batch; a batch that fails is the last one."""

    def __init__(self) -> None:
        self._tasks: list[TaskResult] = []
        self._targets_done = 0
        self._boundary = Boundary()

    @workflow.signal
    def freezes_changed(self) -> None:
        """Told while it waits for a freeze: one was set or lifted."""
        self._boundary.look_again()

    @workflow.signal
    def override(self, override: Override) -> None:
        """Told while it waits for a freeze: it is to be passed over."""
        self._boundary.override(override)

    @workflow.run
    async def run(self, given: DeploymentRequest | Undecodable | None = None) -> DeploymentResult:
        """Carry out the deployment.

        Returns:
            The result; with status `cancelled` when the promotion was cancelled on the way.

        Raises:
            ApplicationError: it failed; the first detail is the `DeploymentResult`. Of type
                `InputError` when it was started with something else.
        """
        request = parse(DeploymentRequest, given, "the input of deployment.execute")
        started_at = workflow.info().workflow_start_time
        assignment: Assignment | None = None
        status, failure = JobStatus.SUCCEEDED, None
        try:
            assignment = await workflow.execute_local_activity_method(
                DeploymentActivities.assign_tasks,
                args=[request, workflow.now()],
                activity_id=str(request.job_id),
                summary="assign the tasks",
                **SHORT,
            )
            _log.info(
                "deploys to %d targets in %d batches, %s",
                assignment.target_count,
                len(assignment.batches),
                request.strategy.type,
                extra=event(
                    events.DEPLOYMENT_STARTED,
                    {
                        names.DEPLOYMENT_STRATEGY: request.strategy.type,
                        names.DEPLOYMENT_TARGET_COUNT: assignment.target_count,
                        names.DEPLOYMENT_BATCH_SIZE: assignment.batch_size,
                    },
                ),
            )
            for number, batch in enumerate(assignment.batches, start=1):
                failure = await self._frozen(request, number)
                if failure is None:
                    failure = await self._batch(request, assignment, number, batch)
                if failure is not None:
                    status = JobStatus.FAILED
                    break
        except (FailureError, asyncio.CancelledError) as error:
            if isinstance(error, FailureError) and not is_cancelled_exception(error):
                status, failure = JobStatus.FAILED, failure_of(error)
            else:
                status = JobStatus.CANCELLED
        return await uninterrupted(self._conclude(request, assignment, started_at, status, failure))

    async def _conclude(
        self,
        request: DeploymentRequest,
        assignment: Assignment | None,
        started_at: datetime,
        status: JobStatus,
        failure: Failure | None,
    ) -> DeploymentResult:
        promotion = request.promotion
        result = DeploymentResult(
            job_id=request.job_id,
            node_id=request.node_id,
            strategy=request.strategy.type,
            status=status,
            target_count=promotion.target_count if assignment is None else assignment.target_count,
            batch_size=0 if assignment is None else assignment.batch_size,
            tasks=tuple(self._tasks),
            failure=failure,
            started_at=started_at,
            ended_at=workflow.now(),
        )
        try:
            await workflow.execute_local_activity_method(
                DeploymentActivities.record,
                JobRecord(promotion_id=promotion.promotion_id, result=result),
                summary=f"record: {status}",
                **SHORT,
            )
        except FailureError as error:
            # The promotion still has to learn what was done on the targets.
            status, failure = JobStatus.FAILED, failure or failure_of(error)
            result = result.model_copy(update={"status": status, "failure": failure})
        figures: dict[str, AttributeValue] = {
            names.DEPLOYMENT_TARGET_COUNT: result.target_count,
            names.DEPLOYMENT_BATCH_SIZE: result.batch_size,
        }
        if self._boundary.waited:
            figures[names.FREEZE_WAIT_SECONDS] = self._boundary.waited.total_seconds()
        if status in DEPLOYMENT_STATUSES:
            figures[names.DEPLOYMENT_STATUS] = DEPLOYMENT_STATUSES[status]
        spans.conclude(figures, failure)
        _log.log(
            logging.INFO if failure is None else logging.ERROR,
            "the deployment %s after %d of %d targets%s",
            status.value,
            self._targets_done,
            result.target_count,
            "" if failure is None else f": {failure.message}",
            extra=event(
                events.DEPLOYMENT_ENDED,
                {
                    names.DEPLOYMENT_JOB_ID: str(result.job_id),
                    names.ERROR_TYPE: None if failure is None else failure.type,
                },
            ),
        )
        if failure is not None:
            raise ApplicationError(failure.message, result, type=failure.type, non_retryable=True)
        return result

    async def _frozen(self, request: DeploymentRequest, number: int) -> Failure | None:
        """Wait until no freeze holds; what a freeze ends the deployment with, if one does."""

        async def told(closure: Closure | None) -> None:
            info = workflow.info()
            pause = DeploymentPause(
                node_id=request.node_id, workflow_id=info.workflow_id, closure=closure
            )
            await tell_promotion(request.promotion.workflow_id, "deployment_paused", pause)
            if info.parent is not None:
                # The step's time stands still meanwhile.
                await tell_promotion(info.parent.workflow_id, "deployment_paused", pause)

        closure = await self._boundary.passed(
            request.promotion,
            request.exemptions,
            told,
            has_begun=request.has_begun or number > 1,
        )
        if closure is None:
            return None
        return Failure(
            type="FrozenError",
            message=f"{closure.reason}; stopped before batch {number}, as its on_close says",
        )

    async def _batch(
        self,
        request: DeploymentRequest,
        assignment: Assignment,
        number: int,
        batch: tuple[TargetPlan, ...],
    ) -> Failure | None:
        await tell_promotion(
            request.promotion.workflow_id,
            "deployment_progress",
            DeploymentProgress(
                node_id=request.node_id,
                batch=number,
                batches=len(assignment.batches),
                targets_done=self._targets_done,
                targets=assignment.target_count,
            ),
        )
        _log.debug(
            "batch %d of %d: %s",
            number,
            len(assignment.batches),
            ", ".join(plan.target for plan in batch),
            extra=event(events.DEPLOYMENT_BATCH),
        )
        failures = await asyncio.gather(*(self._target(plan) for plan in batch))
        self._targets_done += sum(failure is None for failure in failures)
        return next((failure for failure in failures if failure is not None), None)

    async def _target(self, plan: TargetPlan) -> Failure | None:
        for task in plan.tasks:
            result = await self._task(task)
            self._tasks.append(result)
            if result.status is TaskStatus.CANCELLED:
                raise asyncio.CancelledError
            if result.failure is not None:
                return result.failure.model_copy(
                    update={"message": f"target {plan.target}: {result.failure.message}"}
                )
        return None

    async def _task(self, task: AgentTask) -> TaskResult:
        started_at = workflow.now()
        report: TaskReport | None = None
        failure: Failure | None = None
        status = TaskStatus.SUCCEEDED
        try:
            report = await workflow.execute_activity(
                names.agent_task(task.type),
                task,
                result_type=TaskReport,
                task_queue=f"agent.{task.target.agent}",
                activity_id=str(task.id),
                start_to_close_timeout=task.timeout,
                summary=f"{task.type} on {task.target.name}",
                **ON_AGENT,
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                status = TaskStatus.CANCELLED
            else:
                status, failure = TaskStatus.FAILED, _task_failure(task, error)
        return TaskResult(
            task_id=task.id,
            type=task.type,
            target=task.target.name,
            target_id=task.target.id,
            agent=task.target.agent,
            agent_id=task.target.agent_id,
            component=task.component.name,
            status=status,
            attempt=1 if report is None else report.attempt,
            changed=report is not None and report.changed,
            before=None if report is None else report.before,
            after=None if report is None else report.after,
            failure=failure,
            started_at=started_at,
            ended_at=workflow.now(),
        )


def _task_failure(task: AgentTask, error: BaseException) -> Failure:
    cause = root_cause(error)
    if isinstance(cause, TemporalTimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_START:
        agent = task.target.agent
        waited = ON_AGENT["schedule_to_start_timeout"]
        return Failure(
            type="AgentUnreachableError",
            message=(
                f"agent {agent!r} took no task within {waited}; "
                f"see that it runs: promote agent --id {agent}"
            ),
        )
    return failure_of(error)
