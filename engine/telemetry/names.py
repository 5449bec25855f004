"""Span names and attribute keys of the tracing specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.model.verdict import AttributeValue

PROMOTION_REQUEST: Final = "promotion.request"
EVALUATE_GATES: Final = "promotion.evaluate_gates"
WORKFLOW_EXECUTE: Final = "workflow.execute"
DEPLOYMENT_EXECUTE: Final = "deployment.execute"
ASSIGN_TASKS: Final = "deployment.assign_tasks"
EVIDENCE_GENERATE: Final = "evidence.generate"
EVIDENCE_SIGN: Final = "evidence.sign"

TRACED_WORKFLOWS: Final = (PROMOTION_REQUEST, WORKFLOW_EXECUTE, DEPLOYMENT_EXECUTE)
"""The workflow types that are spans, each by its own name."""


def gate(gate_type: str) -> str:
    """The span name of one gate's evaluation."""
    return f"gate.{gate_type}"


def step(node_type: str) -> str:
    """The span name of one step of a template."""
    return f"workflow.step.{node_type}"


def agent_task(task_type: str) -> str:
    """The span name of one task on an agent; also the activity type."""
    return f"agent.task.{task_type}"


def plugin(method: str) -> str:
    """The span name of one call of a plugin."""
    return f"plugin.{method}"


TENANT_ID: Final = "tenant.id"
USER_ID: Final = "user.id"
RELEASE_ID: Final = "release.id"
ENVIRONMENT_NAME: Final = "environment.name"
ERROR: Final = "error"
ERROR_TYPE: Final = "error.type"

PROMOTION_ID: Final = "promotion.id"
PROMOTION_STATUS: Final = "promotion.status"
PROMOTION_GATES: Final = "promotion.gates"
PROMOTION_DECISION: Final = "promotion.decision"

LOCK_WAIT_SECONDS: Final = "environment.lock.wait_seconds"
FREEZE_WAIT_SECONDS: Final = "freeze.wait_seconds"

LINK: Final = "promotion.link"
"""On a link: what the other span is to this one, one of the values below."""

PREVIOUS_ENVIRONMENT: Final = "previous_environment"
"""The promotion of the same release to the environment before this one."""

ROLLED_BACK: Final = "rolled_back"
"""The promotion whose release gives way to one that the environment had before."""

RETRIED: Final = "retried"
"""The promotion that failed, and that this one tries again."""

PREVIOUS_ATTEMPT: Final = "previous_attempt"
"""The attempt of the same task or step that failed before this one."""

CONTINUED_RUN: Final = "continued_run"
"""The run of the same workflow that continued as this one."""

LINKS_WITHIN: Final = (PREVIOUS_ATTEMPT, CONTINUED_RUN)
"""The links that lead to a span of the same promotion."""

KEPT_FOR: Final = "sampling.kept_for"
"""On the root of a trace that was exported although it was not sampled: why."""

GATE_TYPE: Final = "gate.type"
GATE_NAME: Final = "gate.name"
GATE_RESULT: Final = "gate.result"

GATE_DEFAULTS: Final[Mapping[str, Mapping[str, AttributeValue]]] = {
    "security": {
        "vulnerabilities.critical": -1,
        "vulnerabilities.high": -1,
        "vulnerabilities.medium": -1,
        "vulnerabilities.low": -1,
    },
    "approval": {
        "approval.required": 0,
        "approval.received": 0,
        "approval.wait_seconds": 0.0,
    },
}
"""What a gate's span carries when the gate broke or was never heard; -1 is an unknown count."""

WORKFLOW_RUN_ID: Final = "workflow.run_id"
WORKFLOW_TEMPLATE_NAME: Final = "workflow.template_name"
WORKFLOW_TEMPLATE_VERSION: Final = "workflow.template_version"

STEP_RUN_ID: Final = "step.run_id"
STEP_NODE_ID: Final = "step.node_id"
STEP_INPUTS: Final = "step.inputs"
STEP_ATTEMPT: Final = "step.attempt"
STEP_COMPENSATES: Final = "step.compensates"
"""The node whose work the step takes back."""

STEP_WAIT_SECONDS: Final = "step.wait_seconds"
"""How long it has waited: for a time, for a person, or before another attempt."""

DEPLOYMENT_JOB_ID: Final = "deployment.job_id"
DEPLOYMENT_STRATEGY: Final = "deployment.strategy"
DEPLOYMENT_TARGET_COUNT: Final = "deployment.target_count"
DEPLOYMENT_BATCH_SIZE: Final = "deployment.batch_size"

TASK_ID: Final = "task.id"
TASK_TYPE: Final = "task.type"
TASK_ATTEMPT: Final = "task.attempt"
TASK_STATUS: Final = "task.status"
TASK_WAIT_SECONDS: Final = "task.wait_seconds"
AGENT_ID: Final = "agent.id"
AGENT_NAME: Final = "agent.name"
TARGET_ID: Final = "target.id"
TARGET_NAME: Final = "target.name"

PLUGIN_ID: Final = "plugin.id"
PLUGIN_METHOD: Final = "plugin.method"
PLUGIN_DURATION_MS: Final = "plugin.duration_ms"
PLUGIN_OFFER: Final = "plugin.offer"
PLUGIN_CALL_ID: Final = "plugin.call_id"

EVIDENCE_ID: Final = "evidence.id"
EVIDENCE_SHA256: Final = "evidence.sha256"
EVIDENCE_KEY_ID: Final = "evidence.key_id"

TEMPORAL_WORKFLOW_ID: Final = "temporalWorkflowID"
TEMPORAL_RUN_ID: Final = "temporalRunID"
TEMPORAL_ACTIVITY_ID: Final = "temporalActivityID"
"""As the official tracing interceptors call them."""

TEMPORAL_WORKFLOW_TYPE: Final = "temporalWorkflowType"
TEMPORAL_ACTIVITY_TYPE: Final = "temporalActivityType"
TEMPORAL_ATTEMPT: Final = "temporalAttempt"
TEMPORAL_TASK_QUEUE: Final = "temporalTaskQueue"
"""Ours, in their manner."""

# https://opentelemetry.io/docs/specs/semconv/cicd/cicd-spans/ and
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/deployment/
CICD_PIPELINE_NAME: Final = "cicd.pipeline.name"
CICD_PIPELINE_RUN_ID: Final = "cicd.pipeline.run.id"
CICD_PIPELINE_RESULT: Final = "cicd.pipeline.result"
CICD_TASK_NAME: Final = "cicd.pipeline.task.name"
CICD_TASK_RUN_ID: Final = "cicd.pipeline.task.run.id"
CICD_TASK_TYPE: Final = "cicd.pipeline.task.type"
CICD_TASK_RUN_RESULT: Final = "cicd.pipeline.task.run.result"
CICD_WORKER_ID: Final = "cicd.worker.id"
CICD_WORKER_NAME: Final = "cicd.worker.name"
DEPLOYMENT_ID: Final = "deployment.id"
DEPLOYMENT_NAME: Final = "deployment.name"
DEPLOYMENT_STATUS: Final = "deployment.status"
DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"

BAGGAGE_KEYS: Final = (TENANT_ID, USER_ID, RELEASE_ID, ENVIRONMENT_NAME)
