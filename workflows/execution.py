"""`workflow.execute`: the run of a promotion's template, a graph of steps."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contract import RunRecord, StepRecord
    from activities.execution import ExecutionActivities
    from engine.converter import Undecodable
    from engine.model import identity
    from engine.model.approval import Vote
    from engine.model.base import Json
    from engine.model.canonical import canonical_json
    from engine.model.deployment import DeploymentPause, DeploymentResult
    from engine.model.execution import (
        MAX_RUN_OUTPUT_BYTES,
        ExecutionRequest,
        ExecutionResult,
        StepResult,
        StepStatus,
    )
    from engine.model.failure import Failure
    from engine.model.operation import StepAction
    from engine.model.promotion import PromotionSnapshot, StepState
    from engine.model.template import Node, Template
    from engine.telemetry import names, spans
    from engine.telemetry.conventions import RESULTS
    from engine.telemetry.failures import failure_of
    from engine.telemetry.scope import instance, is_evicting
    from engine.templates.schedule import Schedule
    from workflows.children import uninterrupted, whole
    from workflows.failures import parse
    from workflows.occasions import Occasions
    from workflows.options import SHORT
    from workflows.signals import tell_promotion
    from workflows.step import Step
    from workflows.step_actions import StepActions
    from workflows.step_run import StepRun
    from workflows.steps import StepRunner


@workflow.defn(name="workflow.execute")
class ExecutionWorkflow:
    """Runs the nodes of a template, each as soon as everything that it needs has ended."""

    _request: ExecutionRequest
    _promotion: PromotionSnapshot
    _template: Template
    _schedule: Schedule

    def __init__(self) -> None:
        self._instance = instance()
        self._occasions = Occasions()
        self._retries = StepActions()
        self._advances = StepActions()
        self._steps: dict[str, StepResult] = {}
        self._taken_back: dict[str, StepResult] = {}
        self._runs: dict[str, StepRun] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._deployments: list[DeploymentResult] = []
        self._telling: set[asyncio.Task[None]] = set()

    @workflow.signal
    def vote(self, vote: Vote) -> None:
        """A vote that came in while the template runs, or one that was withdrawn meanwhile."""
        self._occasions.take_vote(vote)

    @workflow.signal
    def retry(self, action: StepAction) -> None:
        """Somebody has a halted step tried again."""
        self._retries.add(action)

    @workflow.signal
    def deployment_paused(self, pause: DeploymentPause) -> None:
        """A deployment waits for a freeze to end, or goes on."""
        run = self._runs.get(pause.node_id)
        if run is not None:
            run.pause(pause.closure)

    @workflow.signal
    def advance(self, action: StepAction) -> None:
        """Somebody lets a waiting step go on."""
        self._advances.add(action)

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
        self._occasions.start_with(self._request.votes)
        self._schedule = Schedule(
            self._template, {step.node_id: step.status for step in self._request.taken_over}
        )
        cancelled, broken = False, None
        try:
            await whole(self._record_run(StepStatus.RUNNING))
            await self._take_over()
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
        if not cancelled and broken is None:
            broken = await self._take_back()
        return await uninterrupted(self._conclude(broken, cancelled=cancelled))

    async def _conclude(self, broken: Failure | None, *, cancelled: bool) -> ExecutionResult:
        failure = None if cancelled else self._failure()
        steps = self._steps.values()
        if failure is None and any(step.status is StepStatus.CANCELLED for step in steps):
            # A deployment that somebody cancelled by itself has not succeeded.
            cancelled = True
        for node in self._template.nodes:
            if node.id not in self._steps:
                self._steps[node.id] = self._skipped(node)
                try:
                    await self._finish(self._steps[node.id])
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

    async def _take_over(self) -> None:
        """Record the steps that a promotion before this one has done."""
        for step in self._request.taken_over:
            self._steps[step.node_id] = step
            await whole(self._finish(step))

    async def _run_nodes(self) -> None:
        while True:
            for node in self._schedule.begin():
                self._running[node.id] = asyncio.create_task(self._run_node(node))
            pending = [task for task in self._running.values() if not task.done()]
            if not pending or self._schedule.is_over:
                return
            done, _ = await workflow.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _run_node(self, node: Node) -> None:
        await self._tell(_begun(node, node.type))
        run = self._runs[node.id] = self._step_run(Step.of(node, self._promotion.promotion_id))
        result = await run.run()
        self._steps[node.id] = result
        self._schedule.end(node.id, result.status)
        await uninterrupted(self._finish(result))

    async def _end_running(self) -> None:
        # When a step has failed, work beside it is let end, and waiting is cut short. A
        # cancellation ends all of them.
        pending = {id_: task for id_, task in self._running.items() if not task.done()}
        for node_id, task in pending.items():
            run = self._runs.get(node_id)
            if run is not None:
                run.wind_down()
            if self._schedule.failed is None or run is None or run.is_pausing:
                task.cancel()
        while any(not task.done() for task in pending.values()):
            try:
                await workflow.wait(pending.values())
            except asyncio.CancelledError:
                # Cancelled now as well, none of them is let end any more.
                for task in pending.values():
                    task.cancel()

    async def _take_back(self) -> Failure | None:
        """Take back what is to be taken back. A cancellation leaves the rest as it is.

        Returns:
            What broke of the engine itself, so that it could not go on; None for nothing.
        """
        try:
            for node in self._schedule.compensations():
                step = Step.back(node, self._promotion.promotion_id)
                await self._tell(_begun(node, step.type, compensates=True))
                result = self._taken_back[node.id] = await self._step_run(step).run()
                await uninterrupted(self._finish(result))
                if result.status is StepStatus.CANCELLED:
                    break
        except asyncio.CancelledError:
            return None
        except FailureError as error:
            return None if is_cancelled_exception(error) else failure_of(error)
        return None

    def _step_run(self, step: Step) -> StepRun:
        runner = StepRunner(self._request, self._occasions, self._advances, self._deployments)
        return StepRun(
            step,
            self._promotion,
            runner,
            self._retries,
            lambda: tuple(self._steps.values()),
            self._is_too_much,
            self._tell_later,
        )

    def _is_too_much(self, outputs: dict[str, Json]) -> bool:
        """Whether the run's steps would put out more than can travel together."""
        all_of_them = [step.outputs for step in self._steps.values()]
        return len(canonical_json([*all_of_them, outputs])) > MAX_RUN_OUTPUT_BYTES

    def _failure(self) -> Failure | None:
        node = self._schedule.failed
        failure = None if node is None else self._steps[node.id].failure
        if node is None or failure is None:
            return None
        message = f"step {node.id}: {failure.message}"
        compensated, left = [], []
        for each in self._schedule.compensations():
            result = self._taken_back.get(each.id)
            if result is not None and result.status is StepStatus.SUCCEEDED:
                compensated.append(each.id)
            elif result is not None and result.failure is not None:
                left.append(f"{each.id} ({result.failure.message})")
            else:
                left.append(each.id)
        if compensated:
            message += f"; taken back: {', '.join(compensated)}"
        if left:
            message += f"; not taken back: {', '.join(left)}"
        return failure.model_copy(update={"message": message})

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

    async def _finish(self, result: StepResult) -> None:
        await workflow.execute_local_activity_method(
            ExecutionActivities.record_step,
            StepRecord(promotion_id=self._promotion.promotion_id, result=result),
            **SHORT,
        )
        await self._tell(_ended(result))

    async def _tell(self, state: StepState) -> None:
        await tell_promotion(self._promotion.workflow_id, "step_progress", state)

    def _tell_later(self, state: StepState) -> None:
        told = asyncio.create_task(self._tell(state))
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
            steps=(
                *(self._steps[node.id] for node in self._template.nodes),
                *self._taken_back.values(),
            ),
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


def _begun(node: Node, type: str, *, compensates: bool = False) -> StepState:
    return StepState(
        node_id=node.id,
        type=type,
        status=StepStatus.RUNNING.value,
        compensates=node.id if compensates else None,
    )


def _ended(result: StepResult) -> StepState:
    return StepState(
        node_id=result.node_id,
        type=result.type,
        status=result.status.value,
        detail=result.detail if result.failure is None else result.failure.message,
        attempt=result.attempt,
        outputs=result.outputs,
        compensates=result.compensates,
    )
