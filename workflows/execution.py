"""`workflow.execute`: the run of a promotion's template, a graph of steps."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contract import RunRecord, StepRecord
    from activities.execution import ExecutionActivities
    from engine.converter import Undecodable
    from engine.model import identity
    from engine.model.approval import Vote
    from engine.model.deployment import DeploymentResult
    from engine.model.execution import ExecutionRequest, ExecutionResult, StepResult, StepStatus
    from engine.model.failure import Failure
    from engine.model.promotion import PromotionSnapshot, StepState
    from engine.model.template import Node, OnFailure, Template
    from engine.telemetry import events, names, spans
    from engine.telemetry.conventions import RESULTS, TASK_TYPES
    from engine.telemetry.events import event
    from engine.telemetry.failures import failure_of
    from engine.telemetry.redaction import inputs_attribute
    from engine.telemetry.scope import instance, is_evicting
    from engine.templates import schedule
    from workflows.children import uninterrupted, whole
    from workflows.failures import parse
    from workflows.gates import Votes
    from workflows.logs import workflow_logger
    from workflows.options import SHORT
    from workflows.signals import tell_promotion
    from workflows.steps import StepFailed, StepRunner

_log = workflow_logger(__name__)


@workflow.defn(name="workflow.execute")
class ExecutionWorkflow:
    """Runs the nodes of a template, each as soon as everything that it needs has ended."""

    _request: ExecutionRequest
    _promotion: PromotionSnapshot
    _template: Template

    def __init__(self) -> None:
        self._instance = instance()
        self._votes = Votes()
        self._steps: dict[str, StepResult] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._deployments: list[DeploymentResult] = []
        self._telling: set[asyncio.Task[None]] = set()

    @workflow.signal
    def vote(self, vote: Vote) -> None:
        """A vote that came in while the template runs."""
        self._votes.add(vote)

    @workflow.run
    async def run(self, given: ExecutionRequest | Undecodable | None = None) -> ExecutionResult:
        """Run the template to its end.

        Returns:
            The result; steps have status `cancelled` when the promotion was cancelled on the way.

        Raises:
            ApplicationError: a step failed, or the engine could not go on; the first detail is the
                `ExecutionResult`. Of type `InputError` when it was started with something else.
        """
        self._request = parse(ExecutionRequest, given, "the input of workflow.execute")
        self._promotion = self._request.promotion
        self._template = self._promotion.environment.template
        self._votes.start_with(self._request.votes)
        cancelled, broken = False, None
        try:
            await whole(self._record_run(StepStatus.RUNNING))
            await self._run_nodes()
        except asyncio.CancelledError:
            cancelled = True
        except FailureError as error:
            if is_cancelled_exception(error):
                cancelled = True
            else:
                broken = failure_of(error)
        finally:
            if not is_evicting(self._instance):
                await self._end_running()
        return await uninterrupted(self._conclude(broken, cancelled=cancelled))

    async def _conclude(self, broken: Failure | None, *, cancelled: bool) -> ExecutionResult:
        failure = None if cancelled else self._failure()
        steps = self._steps.values()
        if failure is None and any(step.status is StepStatus.CANCELLED for step in steps):
            # A deployment that somebody cancelled by itself has not succeeded.
            cancelled = True
        for node in self._template.nodes:
            if node.id not in self._steps:
                try:
                    await self._finish(node, self._skipped(node))
                except FailureError as error:
                    broken = broken or failure_of(error)
        result = self._result(failure, broken, cancelled=cancelled)
        try:
            await self._record_run(result.status, result)
        except FailureError as error:
            # The promotion still has to learn what was done.
            result = self._result(failure, broken or failure_of(error), cancelled=cancelled)
        failure = result.failure
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
        while any(not task.done() for task in pending.values()):
            try:
                await workflow.wait(pending.values())
            except asyncio.CancelledError:
                # Cancelled now as well, none of them is let end any more.
                for task in pending.values():
                    task.cancel()

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
            lambda verdict: self._waits(node, verdict.reason),
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
            _log.debug("step %s starts", node.id, extra=_event(events.STEP_STARTED, node))
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
            _tell_end(node, status, detail, failure)
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

    def _waits(self, node: Node, reason: str) -> None:
        _log.info("step %s waits: %s", node.id, reason, extra=_event(events.STEP_WAITING, node))
        self._tell_later(node, StepStatus.WAITING, reason)

    def _tell_later(self, node: Node, status: StepStatus, detail: str) -> None:
        told = asyncio.create_task(self._tell(node, status, detail))
        # The loop itself keeps only weak references to its tasks.
        self._telling.add(told)
        told.add_done_callback(self._telling.discard)

    def _result(
        self, failure: Failure | None, broken: Failure | None, *, cancelled: bool
    ) -> ExecutionResult:
        told = failure or broken
        status = StepStatus.SUCCEEDED if told is None else StepStatus.FAILED
        if cancelled and told is None:
            status = StepStatus.CANCELLED
        return ExecutionResult(
            run_id=identity.workflow_run_id(self._promotion.promotion_id),
            template=self._template.name,
            template_version=self._template.version,
            status=status,
            steps=tuple(self._steps[node.id] for node in self._template.nodes),
            deployments=tuple(self._deployments),
            failure=told,
            broke=failure is None and broken is not None,
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


def _event(name: str, node: Node, **more: str | None) -> dict[str, Any]:
    return event(name, {names.STEP_NODE_ID: node.id, events.STEP_TYPE: node.type, **more})


def _tell_end(node: Node, status: StepStatus, detail: str, failure: Failure | None) -> None:
    about = {events.STEP_STATUS: status.value}
    if failure is None:
        extra = _event(events.STEP_ENDED, node, **about)
        _log.info(
            "step %s %s%s", node.id, status.value, f": {detail}" if detail else "", extra=extra
        )
        return
    extra = _event(events.STEP_ENDED, node, **about, **{names.ERROR_TYPE: failure.type})
    _log.error("step %s failed: %s", node.id, failure.message, extra=extra)
