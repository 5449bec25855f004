"""What each type of template node does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import TypeAdapter

    from engine.gates.steps import gates_of
    from engine.model.deployment import DeploymentRequest, DeploymentResult, JobStatus
    from engine.model.execution import ExecutionRequest
    from engine.model.failure import Failure
    from engine.model.strategy import Strategy
    from engine.model.template import Node
    from engine.model.verdict import Allow, Defer
    from engine.telemetry.failures import failure_of
    from workflows.children import started
    from workflows.deployment import DeploymentWorkflow
    from workflows.failures import carried
    from workflows.gates import Votes, settle

    _STRATEGY: TypeAdapter[Strategy] = TypeAdapter(Strategy)


class StepFailed(Exception):  # noqa: N818  # an outcome of a step, and not an error of this code
    """A step came to its end with a failure."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class StepRunner:
    """Runs single nodes.

    Args:
        deployments: takes the result of each deployment, failed ones included.
        deferred: told when a step waits for a person or for a time.
    """

    def __init__(
        self,
        request: ExecutionRequest,
        votes: Votes,
        deployments: list[DeploymentResult],
        deferred: Callable[[Defer], None],
    ) -> None:
        self._promotion = request.promotion
        self._votes = votes
        self._deployments = deployments
        self._deferred = deferred

    async def run(self, node: Node) -> str:
        """Run one node to its end and say in a sentence what came of it.

        Raises:
            StepFailed: the step's own work has a negative result.
            FailureError: something that it needed broke.
        """
        if node.type in ("security-check", "approval"):
            return await self._ask_gates(node)
        if node.type == "deploy":
            return await self._deploy(node)
        raise StepFailed(
            Failure(
                type="InputError",
                message=f"this worker has no step type {node.type!r}; update the worker",
            )
        )

    async def _ask_gates(self, node: Node) -> str:
        gates = gates_of(node, self._promotion.environment)
        reasons = []
        for gate in gates:
            verdict = await settle(
                gate, self._promotion, self._votes, workflow.now(), self._deferred
            )
            if not isinstance(verdict, Allow):
                raise StepFailed(Failure(type="StepDeniedError", message=verdict.reason))
            reasons.append(verdict.reason)
        return "; ".join(reasons) or "the environment has no gate of this kind"

    async def _deploy(self, node: Node) -> str:
        given = node.inputs.get("strategy")
        strategy = (
            self._promotion.environment.strategy
            if given is None
            else _STRATEGY.validate_python(given)
        )
        try:
            child = await started(
                workflow.start_child_workflow(
                    DeploymentWorkflow.run,
                    DeploymentRequest(
                        promotion=self._promotion, node_id=node.id, strategy=strategy
                    ),
                    id=f"promotion/{self._promotion.promotion_id}/deployment/{node.id}",
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
        return f"{result.target_count} targets, {result.strategy}"
