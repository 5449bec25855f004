"""All workflows of a worker."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.worker import Interceptor
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.auto_promotion import AutoPromotionWorkflow
from workflows.deployment import DeploymentWorkflow
from workflows.environment_lock import EnvironmentLockWorkflow
from workflows.execution import ExecutionWorkflow
from workflows.guard import GuardInterceptor
from workflows.promotion import PromotionWorkflow
from workflows.settlement import SettlementWorkflow, SweepWorkflow
from workflows.turns import TurnsInterceptor

WORKFLOWS: Sequence[type] = (
    PromotionWorkflow,
    ExecutionWorkflow,
    DeploymentWorkflow,
    EnvironmentLockWorkflow,
    AutoPromotionWorkflow,
    SettlementWorkflow,
    SweepWorkflow,
)

WORKFLOW_INTERCEPTORS: Sequence[Interceptor] = (GuardInterceptor(), TurnsInterceptor())
"""What stands around every workflow, also when it is replayed."""


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox that workflows run in.

    The domain and the tracing are shared with it: they hold no state of a workflow, and their
    values must be the same classes inside and outside. So are the libraries that verify signatures,
    which load parts of themselves when they are first used.
    """
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "engine",
            "activities",
            "pydantic",
            "pydantic_core",
            "opentelemetry",
            "cryptography",
            "securesystemslib",
            "_cffi_backend",
        )
    )
