"""Our statuses in the words of OpenTelemetry's semantic conventions.

Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/cicd/
"""

from __future__ import annotations

from typing import Final

from engine.model.deployment import JobStatus
from engine.model.execution import StepStatus

RESULTS: Final = {
    StepStatus.SUCCEEDED: "success",
    StepStatus.FAILED: "failure",
    StepStatus.CANCELLED: "cancellation",
    StepStatus.SKIPPED: "skip",
}
"""Values of `cicd.pipeline.result` and `cicd.pipeline.task.run.result`."""

TASK_TYPES: Final = {"security-check": "test", "deploy": "deploy"}
"""Values of `cicd.pipeline.task.type` by node type, where there is one that fits."""

DEPLOYMENT_STATUSES: Final = {JobStatus.SUCCEEDED: "succeeded", JobStatus.FAILED: "failed"}
"""Values of `deployment.status`; it has none for a cancelled deployment."""
