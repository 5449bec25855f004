"""Which span a workflow or an activity is: the tables of the tracing specification.

A workflow or activity type that is not named here has no span of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from engine.model import identity
from engine.model.agent_task import AgentTask, TaskAttempt, TaskReport, TaskType
from engine.model.deployment import Assignment, DeploymentRequest
from engine.model.evidence import EvidenceInput, GeneratedEvidence, SignedEvidence
from engine.model.execution import ExecutionRequest
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import AttributeValue
from engine.telemetry import names
from engine.telemetry.attempts import earlier_attempts, last_attempt
from engine.telemetry.record import SpanEvent

Attributes = dict[str, AttributeValue]
_A = TypeVar("_A")
_R = TypeVar("_R")


@dataclass(frozen=True)
class WorkflowStart:
    """What the start of a workflow tells about its span.

    Attributes:
        identity: the domain key for the span's id.
        promotion_id: whose trace the span belongs to.
        promotion: what the span is about; None while the request is not resolved.
    """

    identity: str
    promotion_id: UUID
    promotion: PromotionSnapshot | None = None
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True)
class ActivityStart:
    """What scheduling an activity tells about its span."""

    identity: str
    attributes: Attributes


@dataclass(frozen=True)
class ActivityEnd:
    """What an activity's result adds to its span; `at` overrides the time of its completion."""

    attributes: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    at: datetime | None = None


def _nothing(detail: object) -> Attributes:
    return {}


def _once(told: object) -> tuple[TaskAttempt, ...]:
    return ()


@dataclass(frozen=True)
class ActivityRule(Generic[_A, _R]):
    """How one activity type becomes a span.

    Attributes:
        start: takes the activity's argument.
        end: takes its result and the time at which it was scheduled.
        failed: takes what the error that it failed with tells; see
            `engine.telemetry.failures.detail_of`.
        attempts: takes the same, or the result: the attempts before the last one.
    """

    start: Callable[[_A], ActivityStart]
    end: Callable[[_R, datetime], ActivityEnd]
    failed: Callable[[object], Attributes] = _nothing
    attempts: Callable[[object], tuple[TaskAttempt, ...]] = _once


def workflow_start(
    workflow_type: str, workflow_id: str, first_run_id: str, args: Sequence[object]
) -> WorkflowStart | None:
    """The span of a workflow type, or None when it has none."""
    if workflow_type == names.PROMOTION_REQUEST:
        promotion = identity.promotion_id(workflow_id, first_run_id)
        return WorkflowStart(str(promotion), promotion)
    request = args[0] if args else None
    if workflow_type == names.WORKFLOW_EXECUTE and isinstance(request, ExecutionRequest):
        run = identity.workflow_run_id(request.promotion.promotion_id)
        template = request.promotion.environment.template
        return WorkflowStart(
            str(run),
            request.promotion.promotion_id,
            request.promotion,
            {
                names.WORKFLOW_RUN_ID: str(run),
                names.WORKFLOW_TEMPLATE_NAME: template.name,
                names.WORKFLOW_TEMPLATE_VERSION: template.version,
                names.CICD_PIPELINE_NAME: template.name,
                names.CICD_PIPELINE_RUN_ID: str(run),
            },
        )
    if workflow_type == names.DEPLOYMENT_EXECUTE and isinstance(request, DeploymentRequest):
        job = request.job_id
        return WorkflowStart(
            str(job),
            request.promotion.promotion_id,
            request.promotion,
            {
                names.DEPLOYMENT_JOB_ID: str(job),
                names.DEPLOYMENT_ID: str(job),
                names.DEPLOYMENT_NAME: request.node_id,
                names.DEPLOYMENT_ENVIRONMENT_NAME: request.promotion.environment.name,
                names.DEPLOYMENT_STRATEGY: request.strategy.type,
                names.DEPLOYMENT_TARGET_COUNT: request.promotion.target_count,
                # Known once the targets are assigned; a job that breaks before has no batch.
                names.DEPLOYMENT_BATCH_SIZE: 0,
            },
        )
    return None


def activity_rule(activity_type: str) -> ActivityRule[Any, Any] | None:
    """The rule for an activity type, or None when it has no span."""
    return _RULES.get(activity_type)


def _assign_start(request: DeploymentRequest) -> ActivityStart:
    job = str(request.job_id)
    return ActivityStart(
        job,
        {
            names.DEPLOYMENT_JOB_ID: job,
            names.DEPLOYMENT_TARGET_COUNT: request.promotion.target_count,
        },
    )


def _assign_end(result: Assignment, scheduled_at: datetime) -> ActivityEnd:
    return ActivityEnd({names.DEPLOYMENT_TARGET_COUNT: result.target_count})


def _task_start(task: AgentTask) -> ActivityStart:
    return ActivityStart(
        str(task.id),
        {
            names.TASK_ID: str(task.id),
            names.TASK_TYPE: task.type.value,
            names.TASK_ATTEMPT: 1,
            names.AGENT_ID: str(task.target.agent_id),
            names.AGENT_NAME: task.target.agent,
            names.CICD_WORKER_ID: str(task.target.agent_id),
            names.CICD_WORKER_NAME: task.target.agent,
            names.TARGET_ID: str(task.target.id),
            names.TARGET_NAME: task.target.name,
        },
    )


def _task_end(result: TaskReport, scheduled_at: datetime) -> ActivityEnd:
    first = result.earlier[0] if result.earlier else result
    wait = (first.started_at - scheduled_at).total_seconds()
    return ActivityEnd(
        {
            **result.calls,
            names.TASK_ATTEMPT: result.attempt,
            names.TASK_WAIT_SECONDS: max(0.0, wait),
        },
        (SpanEvent(name="task.started", at=result.started_at),),
        result.ended_at,
    )


def _task_failed(detail: object) -> Attributes:
    if not isinstance(detail, dict):
        return {}
    number = detail.get("attempt")
    last = last_attempt(detail)
    calls = {} if last is None else dict(last.calls)
    return {**calls, names.TASK_ATTEMPT: number} if isinstance(number, int) else calls


def _generate_start(evidence: EvidenceInput) -> ActivityStart:
    promotion = evidence.promotion.promotion_id
    key = str(identity.evidence_id(promotion))
    return ActivityStart(
        key,
        # The digest is known when the statement is; a failed generation has none.
        {names.PROMOTION_ID: str(promotion), names.EVIDENCE_ID: key, names.EVIDENCE_SHA256: ""},
    )


def _generate_end(result: GeneratedEvidence, scheduled_at: datetime) -> ActivityEnd:
    return ActivityEnd(
        # A run that came of a reset has evidence of its own.
        {names.EVIDENCE_ID: str(result.id), names.EVIDENCE_SHA256: result.sha256}
    )


def _sign_start(evidence: GeneratedEvidence) -> ActivityStart:
    return ActivityStart(
        str(evidence.id),
        {
            names.PROMOTION_ID: str(evidence.promotion_id),
            names.EVIDENCE_ID: str(evidence.id),
            names.EVIDENCE_KEY_ID: "",
        },
    )


def _sign_end(result: SignedEvidence, scheduled_at: datetime) -> ActivityEnd:
    return ActivityEnd({names.EVIDENCE_KEY_ID: result.key_id})


_RULES: dict[str, ActivityRule[Any, Any]] = {
    names.ASSIGN_TASKS: ActivityRule(_assign_start, _assign_end),
    names.EVIDENCE_GENERATE: ActivityRule(_generate_start, _generate_end),
    names.EVIDENCE_SIGN: ActivityRule(_sign_start, _sign_end),
    **{
        names.agent_task(task): ActivityRule(_task_start, _task_end, _task_failed, earlier_attempts)
        for task in TaskType
    },
}
