"""`workflow.execute`: the run of a promotion's template, a graph of steps."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contract import RunRecord, StepRecord
    from activities.execution import ExecutionActivities
    from engine.model import identity
    from engine.model.approval import Vote
    from engine.model.deployment import DeploymentResult
    from engine.model.execution import ExecutionRequest, ExecutionResult, StepResult, StepStatus
    from engine.model.failure import Failure
    from engine.model.promotion import StepState
    from engine.model.template import Node, OnFailure
    from engine.telemetry import names, spans
    from engine.telemetry.conventions import RESULTS, TASK_TYPES
    from engine.telemetry.failures import failure_of
    from engine.telemetry.redaction import inputs_attribute
    from engine.telemetry.scope import is_evicting
    from engine.templates import schedule
    from workflows.children import uninterrupted, whole
    from workflows.gates import Votes
    from workflows.options import SHORT
    from workflows.signals import tell_promotion
    from workflows.steps import StepFailed, StepRunner


@workflow.defn(name="workflow.execute")
class ExecutionWorkflow:
    """Runs the nodes of a template, each as soon as everything that it needs has ended."""

    @workflow.init
    def __init__(self, request: ExecutionRequest) -> None:
        self._request = request
        self._promotion = request.promotion
        self._template = request.promotion.environment.template
        self._votes = Votes(request.votes)
        self._steps: dict[str, StepResult] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._deployments: list[DeploymentResult] = []
        self._telling: set[asyncio.Task[None]] = set()

    @workflow.signal
    def vote(self, vote: Vote) -> None:
        """A vote that came in while the template runs."""
        self._votes.add(vote)

    @workflow.run
    async def run(self, request: ExecutionRequest) -> ExecutionResult:
        """Run the template to its end.

        Returns:
            The result; steps have status `cancelled` when the promotion was cancelled on the way.

        Raises:
            ApplicationError: a step failed; the first detail is the `ExecutionResult`.
        """
        cancelled = False
        try:
            await whole(self._record_run(StepStatus.RUNNING))
            await self._run_nodes()
        except asyncio.CancelledError:
            cancelled = True
        except FailureError as error:
            if not is_cancelled_exception(error):
                raise
            cancelled = True
        finally:
            if not is_evicting():
                await self._end_running()
        failure = None if cancelled else self._failure()
        steps = self._steps.values()
        if failure is None and any(step.status is StepStatus.CANCELLED for step in steps):
            # A deployment that somebody cancelled by itself has not succeeded.
            cancelled = True
        for node in self._template.nodes:
            if node.id not in self._steps:
                await self._finish(node, self._skipped(node))
        result = self._result(_run_status(failure, cancelled=cancelled), failure)
        await uninterrupted(self._record_run(result.status, result))
        spans.conclude({names.CICD_PIPELINE_RESULT: RESULTS[result.status]}, failure)
        if failure is not None:
            raise ApplicationError(failure.message, result, type=failure.type, non_retryable=True)
        return result

    async def _run_nodes(self) -> None:
        while self._failure() is None:
            ended = {node_id: step.status for node_id, step in self._steps.items()}
            for node in schedule.ready(self._template, ended):
                if node.id not in self._running:
                    self._running[node.id] = asyncio.create_task(self._run_node(node))
            pending = [task for task in self._running.values() if not task.done()]
            if not pending:
                return
            done, _ = await workflow.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _end_running(self) -> None:
        # When a step has failed, a deployment beside it is let end, and waiting is cut short. A
        # cancellation ends all of them.
        pending = {id_: task for id_, task in self._running.items() if not task.done()}
        types = {node.id: node.type for node in self._template.nodes}
        for node_id, task in pending.items():
            if self._failure() is None or types[node_id] != "deploy":
                task.cancel()
        if pending:
            await workflow.wait(pending.values())

    def _failure(self) -> Failure | None:
        for node in self._template.nodes:
            step = self._steps.get(node.id)
            if step and step.failure is not None and node.on_failure is OnFailure.FAIL:
                message = f"step {node.id}: {step.failure.message}"
                return step.failure.model_copy(update={"message": message})
        return None

    async def _run_node(self, node: Node) -> None:
        started_at = workflow.now()
        run_id = identity.step_run_id(self._promotion.promotion_id, node.id)
        await self._tell(node, StepStatus.RUNNING, "")
        runner = StepRunner(
            self._request,
            self._votes,
            self._deployments,
            lambda verdict: self._tell_later(node, StepStatus.WAITING, verdict.reason),
        )
        attributes = {
            names.STEP_RUN_ID: str(run_id),
            names.STEP_NODE_ID: node.id,
            names.STEP_INPUTS: inputs_attribute(node.inputs),
            names.CICD_TASK_NAME: node.id,
            names.CICD_TASK_RUN_ID: str(run_id),
        }
        if node.type in TASK_TYPES:
            attributes[names.CICD_TASK_TYPE] = TASK_TYPES[node.type]
        status, detail, failure = StepStatus.SUCCEEDED, "", None
        with spans.span(names.step(node.type), str(run_id), attributes) as span:
            try:
                detail = await asyncio.wait_for(runner.run(node), node.timeout.total_seconds())
            except TimeoutError:
                status = StepStatus.FAILED
                failure = Failure(
                    type="StepTimeoutError", message=f"did not end within {node.timeout}"
                )
            except StepFailed as error:
                status, failure = StepStatus.FAILED, error.failure
            except (FailureError, asyncio.CancelledError) as error:
                if is_cancelled_exception(error):
                    status = StepStatus.CANCELLED
                else:
                    status, failure = StepStatus.FAILED, failure_of(error)
            span.set({names.CICD_TASK_RUN_RESULT: RESULTS[status]})
            if failure is not None:
                span.fail(failure)
        await uninterrupted(
            self._finish(
                node,
                StepResult(
                    node_id=node.id,
                    type=node.type,
                    run_id=run_id,
                    status=status,
                    detail=detail,
                    failure=failure,
                    inputs=node.inputs,
                    started_at=started_at,
                    ended_at=workflow.now(),
                ),
            )
        )

    def _skipped(self, node: Node) -> StepResult:
        now = workflow.now()
        return StepResult(
            node_id=node.id,
            type=node.type,
            run_id=identity.step_run_id(self._promotion.promotion_id, node.id),
            status=StepStatus.SKIPPED,
            inputs=node.inputs,
            started_at=now,
            ended_at=now,
        )

    async def _finish(self, node: Node, result: StepResult) -> None:
        self._steps[node.id] = result
        await workflow.execute_local_activity_method(
            ExecutionActivities.record_step,
            StepRecord(promotion_id=self._promotion.promotion_id, result=result),
            **SHORT,
        )
        detail = result.detail if result.failure is None else result.failure.message
        await self._tell(node, result.status, detail)

    async def _tell(self, node: Node, status: StepStatus, detail: str) -> None:
        await tell_promotion(
            self._promotion.workflow_id,
            "step_progress",
            StepState(node_id=node.id, type=node.type, status=status.value, detail=detail),
        )

    def _tell_later(self, node: Node, status: StepStatus, detail: str) -> None:
        told = asyncio.create_task(self._tell(node, status, detail))
        # The loop itself keeps only weak references to its tasks.
        self._telling.add(told)
        told.add_done_callback(self._telling.discard)

    def _result(self, status: StepStatus, failure: Failure | None) -> ExecutionResult:
        return ExecutionResult(
            run_id=identity.workflow_run_id(self._promotion.promotion_id),
            template=self._template.name,
            template_version=self._template.version,
            status=status,
            steps=tuple(self._steps[node.id] for node in self._template.nodes),
            deployments=tuple(self._deployments),
            failure=failure,
            started_at=workflow.info().workflow_start_time,
            ended_at=workflow.now(),
        )

    async def _record_run(self, status: StepStatus, result: ExecutionResult | None = None) -> None:
        await workflow.execute_local_activity_method(
            ExecutionActivities.record_run,
            RunRecord(
                promotion_id=self._promotion.promotion_id,
                run_id=identity.workflow_run_id(self._promotion.promotion_id),
                template=self._template.name,
                template_version=self._template.version,
                status=status,
                started_at=workflow.info().workflow_start_time,
                ended_at=None if result is None else result.ended_at,
            ),
            **SHORT,
        )


def _run_status(failure: Failure | None, *, cancelled: bool) -> StepStatus:
    if cancelled:
        return StepStatus.CANCELLED
    return StepStatus.SUCCEEDED if failure is None else StepStatus.FAILED
