"""One step from its start to its end: its expressions, its span, and how often it is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contract import PreparedStep, PrepareStep
    from activities.step import StepActivities
    from engine.model.base import Json
    from engine.model.execution import MAX_RUN_OUTPUT_BYTES, StepResult, StepStatus
    from engine.model.failure import Failure
    from engine.model.freeze import Closure
    from engine.model.operation import StepAction
    from engine.model.promotion import PromotionSnapshot, StepState
    from engine.telemetry import names, spans
    from engine.telemetry.conventions import RESULTS, TASK_TYPES
    from engine.telemetry.failures import detail_of, failure_of
    from engine.telemetry.redaction import inputs_attribute
    from engine.telemetry.scope import OpenSpan
    from engine.templates.protocol import StepWork
    from workflows import step_log
    from workflows.options import SHORT
    from workflows.step import Step
    from workflows.step_actions import StepActions
    from workflows.steps import ASKS_GATES, Outcome, Pause, StepFailed, StepRunner
    from workflows.stopwatch import Stopwatch

FINAL = frozenset({"FrozenError", "InputError", "StepDeniedError", "StepTimeoutError"})
"""Types of failure that trying again does not change."""


class StepRun:
    """Runs one step.

    Args:
        ended: the steps that have ended so far, for its expressions.
        retries: what people have tried again.
        is_too_much: whether outputs are more than the run can take.
        tell: takes every change of where it stands, for people.
    """

    def __init__(
        self,
        step: Step,
        promotion: PromotionSnapshot,
        runner: StepRunner,
        retries: StepActions,
        ended: Callable[[], tuple[StepResult, ...]],
        is_too_much: Callable[[dict[str, Json]], bool],
        tell: Callable[[StepState], None],
    ) -> None:
        self._step = step
        self._promotion = promotion
        self._runner = runner
        self._retries = retries
        self._ended = ended
        self._is_too_much = is_too_much
        self._tell = tell
        self._inputs = step.inputs
        self._attempt = 1
        self._attempt_at = self._failed_at = workflow.now()
        self._is_last = False
        self._unanswered: Failure | None = None
        self._pausing_since: datetime | None = None
        self._waited = timedelta()
        self._stopwatch = Stopwatch()
        self._before: OpenSpan | None = None

    @property
    def is_pausing(self) -> bool:
        """Whether it waits, and has nothing under way that is better let end."""
        return self._pausing_since is not None or self._step.type in ASKS_GATES

    def pause(self, closure: Closure | None) -> None:
        """Its deployment waits for a freeze to end, or with None goes on; its time stands still."""
        if closure is None:
            self._stopwatch.go()
            self._stop_waiting()
            self._say(StepStatus.RUNNING, "")
        else:
            self._stopwatch.stop()
            self._waits(Pause(closure.reason, closure.until))

    def wind_down(self) -> None:
        """Make the attempt at hand the last one."""
        self._is_last = True

    async def run(self) -> StepResult:
        """Run it to its end, whatever that is."""
        started_at = workflow.now()
        failure: Failure | None = None
        if self._step.has_expressions:
            try:
                prepared = await self._prepare()
            except (FailureError, asyncio.CancelledError) as error:
                if is_cancelled_exception(error):
                    return self._result(started_at, StepStatus.CANCELLED)
                failure = failure_of(error)
            else:
                self._inputs = prepared.inputs
                if not prepared.runs:
                    return self._result(started_at, StepStatus.SKIPPED, "its condition is not met")
        with spans.span(
            names.step(self._step.type), str(self._step.run_id), self._attributes()
        ) as span:
            step_log.started(self._step.node, self._step.type)
            if failure is not None:
                result = self._result(started_at, StepStatus.FAILED, failure=failure)
            else:
                result = await self._tries(started_at, span)
            self._close(span, result)
        return result

    async def _prepare(self) -> PreparedStep:
        node = self._step.node
        return await workflow.execute_local_activity_method(
            StepActivities.prepare,
            PrepareStep(
                promotion=self._promotion,
                node=node,
                ended=self._ended(),
                compensates=self._step.compensates,
                at=workflow.now(),
            ),
            summary=f"expressions of {node.id}",
            **SHORT,
        )

    async def _tries(self, started_at: datetime, span: OpenSpan) -> StepResult:
        """All attempts, with those that a person asked for."""
        while True:
            result = await self._within_its_time(started_at, span)
            if result.failure is None or not self._step.halt or self._is_last:
                return result
            try:
                action = await self._halted(result.failure)
            except asyncio.CancelledError:
                # The failure stands, whatever becomes of the rest.
                return result
            if action is None:
                return result
            self._again(span, result.failure)
            self._say(StepStatus.RUNNING, f"tried again by {action.user}")

    async def _within_its_time(self, started_at: datetime, span: OpenSpan) -> StepResult:
        self._unanswered = None
        failure: Failure
        outputs: dict[str, Json] = {}
        try:
            outcome = await self._stopwatch.within(self._attempts(span), self._step.timeout)
        except TimeoutError:
            before = "" if self._unanswered is None else f": {self._unanswered.message}"
            failure = Failure(
                type="StepTimeoutError", message=f"did not end within {self._step.timeout}{before}"
            )
        except StepFailed as error:
            failure, outputs = error.failure, error.outputs
        except (FailureError, asyncio.CancelledError) as error:
            if not is_cancelled_exception(error):
                failure, outputs = failure_of(error), _outputs_of(error)
            elif self._unanswered is None:
                return self._result(started_at, StepStatus.CANCELLED)
            else:
                # There is no next attempt, so the end of the last one is the step's.
                failure = self._unanswered
        else:
            if not self._is_too_much(outcome.outputs):
                return self._result(
                    started_at, StepStatus.SUCCEEDED, outcome.detail, outputs=outcome.outputs
                )
            limit = MAX_RUN_OUTPUT_BYTES // 1024
            failure = Failure(
                type="StepError",
                message=f"with its outputs the run's steps put out more than {limit} KiB",
            )
        if outputs and self._is_too_much(outputs):
            outputs = {}
        return self._result(started_at, StepStatus.FAILED, failure=failure, outputs=outputs)

    async def _attempts(self, span: OpenSpan) -> Outcome:
        """Attempts until one succeeds, or there are no more."""
        policy, interval = self._step.retry, self._step.retry.interval
        left = policy.attempts
        while True:
            self._attempt_at = workflow.now()
            left -= 1
            try:
                return await self._runner.run(self._work(), self._step.timeout, self._waits)
            except (StepFailed, FailureError) as error:
                if isinstance(error, FailureError) and is_cancelled_exception(error):
                    raise
                self._failed_at = workflow.now()
                failure = error.failure if isinstance(error, StepFailed) else failure_of(error)
                if not left or self._is_last or failure.type in FINAL:
                    raise
            self._unanswered = failure
            await self._back_off(failure, min(interval, policy.max_interval))
            self._unanswered = None
            interval *= policy.backoff
            self._again(span, failure)
            self._say(StepStatus.RUNNING, "")

    async def _back_off(self, failure: Failure, pause: timedelta) -> None:
        node, attempt = self._step.node, self._attempt
        step_log.attempt_failed(node, self._step.type, attempt, failure)
        told = f"attempt {attempt} of {self._step.retry.attempts} failed: {failure.message}"
        self._stop_waiting()
        self._pausing_since = workflow.now()
        self._say(StepStatus.RUNNING, told, Pause(told, workflow.now() + pause))
        await workflow.sleep(pause, summary=f"step {node.id} before attempt {attempt + 1}")
        self._stop_waiting()

    def _again(self, span: OpenSpan, failure: Failure) -> None:
        """Take note of an attempt that failed, before the next."""
        self._before = spans.attempt_failed(
            span,
            f"{self._step.run_id}/attempt/{self._attempt}",
            {
                names.STEP_ATTEMPT: self._attempt,
                names.CICD_TASK_RUN_RESULT: RESULTS[StepStatus.FAILED],
            },
            failure,
            started_at=self._attempt_at,
            ended_at=self._failed_at,
            before=self._before,
        )
        self._attempt += 1

    async def _halted(self, failure: Failure) -> StepAction | None:
        """Wait for somebody who has the step tried again; None when nobody does."""
        node, since = self._step.node, workflow.now()
        until = since + self._step.halt
        step_log.halted(node, self._step.type, failure)
        pause = Pause(
            f"step {node.id} has failed; until {until:%Y-%m-%d %H:%M:%S} UTC somebody may have it "
            f"tried again (promote retry), or cancel: {failure.message}",
            until,
            acts="retry",
        )
        self._pausing_since = self._failed_at = since
        self._say(StepStatus.HALTED, pause.reason, pause)
        action = await self._retries.next(node.id, until, f"step {node.id} is halted")
        self._stop_waiting()
        return action

    def _work(self) -> StepWork:
        return StepWork(
            promotion=self._promotion,
            node_id=self._step.node.id,
            type=self._step.type,
            inputs=self._inputs,
            run_id=self._step.run_id,
            attempt=self._attempt,
            compensates=self._step.node.id if self._step.compensates else None,
        )

    def _waits(self, pause: Pause) -> None:
        step_log.waits(self._step.node, self._step.type, pause.reason)
        self._pausing_since = self._pausing_since or workflow.now()
        self._say(StepStatus.WAITING, pause.reason, pause)

    def _stop_waiting(self) -> None:
        if self._pausing_since is not None:
            self._waited += workflow.now() - self._pausing_since
            self._pausing_since = None

    def _say(self, status: StepStatus, detail: str, pause: Pause | None = None) -> None:
        told = pause or Pause("")
        self._tell(
            StepState(
                node_id=self._step.node.id,
                type=self._step.type,
                status=status.value,
                detail=detail,
                attempt=self._attempt,
                until=told.until,
                who=told.who,
                acts=told.acts,
                compensates=self._step.node.id if self._step.compensates else None,
            )
        )

    def _attributes(self) -> dict[str, str]:
        node, run_id = self._step.node, str(self._step.run_id)
        attributes = {
            names.STEP_RUN_ID: run_id,
            names.STEP_NODE_ID: node.id,
            names.STEP_INPUTS: inputs_attribute(self._inputs),
            names.CICD_TASK_NAME: node.id,
            names.CICD_TASK_RUN_ID: run_id,
        }
        if self._step.type in TASK_TYPES:
            attributes[names.CICD_TASK_TYPE] = TASK_TYPES[self._step.type]
        if self._step.compensates:
            attributes[names.STEP_COMPENSATES] = node.id
        return attributes

    def _close(self, span: OpenSpan, result: StepResult) -> None:
        span.set(
            {
                names.CICD_TASK_RUN_RESULT: RESULTS[result.status],
                names.STEP_ATTEMPT: result.attempt,
            }
        )
        if self._waited:
            span.set({names.STEP_WAIT_SECONDS: self._waited.total_seconds()})
        if self._before is not None:
            spans.follows_attempt(span, self._before)
        if result.failure is not None:
            span.fail(result.failure)
        step_log.ended(result)

    def _result(
        self,
        started_at: datetime,
        status: StepStatus,
        detail: str = "",
        failure: Failure | None = None,
        outputs: dict[str, Json] | None = None,
    ) -> StepResult:
        self._stop_waiting()
        return StepResult(
            node_id=self._step.node.id,
            type=self._step.type,
            run_id=self._step.run_id,
            status=status,
            detail=detail,
            failure=failure,
            inputs=self._inputs,
            outputs=outputs or {},
            attempt=self._attempt,
            compensates=self._step.node.id if self._step.compensates else None,
            started_at=started_at,
            ended_at=workflow.now(),
        )


def _outputs_of(error: BaseException) -> dict[str, Json]:
    told = detail_of(error)
    return told if isinstance(told, dict) else {}
