"""What each type of template node does, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter, ValidationError

    from activities.step import StepActivities
    from engine.gates.steps import gates_of
    from engine.model.base import Json
    from engine.model.deployment import DeploymentRequest, DeploymentResult, JobStatus
    from engine.model.execution import ExecutionRequest
    from engine.model.failure import Failure
    from engine.model.problem import merged, problems_of
    from engine.model.strategy import Strategy
    from engine.model.template import Node
    from engine.model.verdict import Defer, Deny
    from engine.telemetry.failures import failure_of
    from engine.templates.nodes.wait import WaitInputs
    from engine.templates.protocol import StepWork
    from workflows.asking import settle
    from workflows.children import started
    from workflows.deployment import DeploymentWorkflow
    from workflows.failures import carried
    from workflows.occasions import Occasions
    from workflows.options import STEP
    from workflows.step_actions import StepActions

    _STRATEGY: TypeAdapter[Strategy] = TypeAdapter(Strategy)

ASKS_GATES = ("security-check", "approval")


class StepFailed(Exception):  # noqa: N818  # an outcome of a step, and not an error of this code
    """A step came to its end with a failure.

    Attributes:
        outputs: what it hands on to others all the same.
    """

    def __init__(self, failure: Failure, outputs: Mapping[str, Json] | None = None) -> None:
        self.failure = failure
        self.outputs = dict(outputs or {})
        super().__init__(failure.message)


@dataclass(frozen=True)
class Outcome:
    """A step came to its end without one.

    Attributes:
        detail: one sentence for a person.
        outputs: what it hands on to others.
    """

    detail: str
    outputs: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Pause:
    """What a step waits for.

    Attributes:
        until: when it goes on by itself; None for never.
        who: the people who can make it go on; empty for anybody, where there is something to do.
        acts: the update by which they do; empty for none.
    """

    reason: str
    until: datetime | None = None
    who: tuple[str, ...] = ()
    acts: str = ""


class StepRunner:
    """Carries out the attempts of steps.

    Args:
        deployments: takes the result of each deployment, failed ones included.
        advances: what people let go on.
    """

    def __init__(
        self,
        request: ExecutionRequest,
        occasions: Occasions,
        advances: StepActions,
        deployments: list[DeploymentResult],
    ) -> None:
        self._promotion = request.promotion
        self._exemptions = request.exemptions
        self._occasions = occasions
        self._advances = advances
        self._deployments = deployments

    async def run(
        self, work: StepWork, within: timedelta, waits: Callable[[Pause], None]
    ) -> Outcome:
        """Make one attempt at a step and say what came of it.

        Args:
            within: the longest that it may take, which the caller sees to.
            waits: told when it waits for a person or for a time.

        Raises:
            StepFailed: the step's own work has a negative result.
            FailureError: something that it needed broke.
        """
        if work.type in ASKS_GATES:
            return await self._ask_gates(work, waits)
        if work.type == "deploy":
            return await self._deploy(work)
        if work.type == "wait":
            return await self._wait(work, waits)
        report = await workflow.execute_activity_method(
            StepActivities.run,
            work,
            start_to_close_timeout=within,
            schedule_to_close_timeout=within,
            summary=_summary(work),
            **STEP,
        )
        return Outcome(report.detail, report.outputs)

    async def _ask_gates(self, work: StepWork, waits: Callable[[Pause], None]) -> Outcome:
        def deferred(verdict: Defer) -> None:
            acts = "approve" if work.type == "approval" else ""
            waits(Pause(verdict.reason, verdict.until, verdict.who, acts))

        node = Node(id=work.node_id, type=work.type, inputs=work.inputs)
        reasons = []
        for gate in gates_of(node, self._promotion.environment):
            verdict = await settle(gate, self._promotion, self._occasions, workflow.now(), deferred)
            if isinstance(verdict, Deny):
                raise StepFailed(Failure(type="StepDeniedError", message=verdict.reason))
            reasons.append(verdict.reason)
        return Outcome("; ".join(reasons) or "the environment has no gate of this kind")

    async def _deploy(self, work: StepWork) -> Outcome:
        given = work.inputs.get("strategy")
        strategy = (
            self._promotion.environment.strategy
            if given is None
            else _STRATEGY.validate_python(given)
        )
        workflow_id = f"promotion/{self._promotion.promotion_id}/deployment/{work.node_id}"
        request = DeploymentRequest(
            promotion=self._promotion,
            node_id=work.node_id,
            strategy=strategy,
            attempt=work.attempt,
            exemptions=self._exemptions,
            has_begun=bool(self._deployments),
        )
        try:
            child = await started(
                workflow.start_child_workflow(
                    DeploymentWorkflow.run,
                    request,
                    id=workflow_id if work.attempt == 1 else f"{workflow_id}/{work.attempt}",
                    static_summary=(
                        f"{self._promotion.release.ref} to {self._promotion.environment.name}, "
                        f"{strategy.type}"
                    ),
                )
            )
            result = await child
        except ChildWorkflowError as error:
            if is_cancelled_exception(error):
                raise
            failed = carried(error, DeploymentResult)
            if failed is not None:
                self._deployments.append(failed)
            failure = failed.failure if failed is not None else None
            raise StepFailed(failure or failure_of(error)) from error
        self._deployments.append(result)
        if result.status is JobStatus.CANCELLED:
            raise asyncio.CancelledError
        outputs: dict[str, Json] = {
            "job_id": str(result.job_id),
            "strategy": result.strategy,
            "targets": result.target_count,
        }
        return Outcome(f"{result.target_count} targets, {result.strategy}", outputs)

    async def _wait(self, work: StepWork, waits: Callable[[Pause], None]) -> Outcome:
        try:
            inputs = WaitInputs.model_validate(work.inputs)
        except ValidationError as error:
            problem = merged(work.node_id, problems_of(error, work.inputs, work.node_id))
            failure = Failure(type="InputError", message=f"{problem.field}: {problem.problem}")
            raise StepFailed(failure) from error
        moments = [] if inputs.until is None else [inputs.until]
        if inputs.duration is not None:
            moments.append(workflow.now() + inputs.duration)
        until = min(moments, default=None)
        if until is not None and until <= workflow.now():
            return Outcome("its time had come", {"ended_by": "time"})
        advance = inputs.advance
        who = () if advance is None else advance.people(self._promotion.environment.groups)
        acts = "" if advance is None else "advance"
        waits(Pause(_reason(inputs, until, who), until, who, acts))
        action = await self._advances.next(work.node_id, until, f"step {work.node_id} waits")
        if action is None:
            return Outcome("its time has come", {"ended_by": "time"})
        why = f": {action.reason}" if action.reason else ""
        return Outcome(f"let go on by {action.user}{why}", {"ended_by": action.user})


def _reason(inputs: WaitInputs, until: datetime | None, who: tuple[str, ...]) -> str:
    ends = [] if until is None else [f"until {until:%Y-%m-%d %H:%M:%S} UTC"]
    if inputs.advance is not None:
        ends.append(f"for {', '.join(who) or 'somebody'} to let it go on (promote advance)")
    told = f"waits {', or '.join(ends)}"
    return f"{inputs.reason}; {told}" if inputs.reason else told


def _summary(work: StepWork) -> str:
    what = f"{work.type}: {work.node_id}"
    if work.compensates is not None:
        what = f"{work.type}: take {work.node_id} back"
    return what if work.attempt == 1 else f"{what}, attempt {work.attempt}"
