"""The activities that get a step ready and do its work."""

from __future__ import annotations

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contract import PreparedStep, PrepareStep
from activities.plugin_calls import CallLog, current_calls
from engine.errors import InputError, PromotionEngineError, StepError
from engine.model.base import Json
from engine.model.canonical import canonical_json
from engine.model.environment import Environment
from engine.model.execution import MAX_OUTPUT_BYTES
from engine.model.problem import merged, problems_of
from engine.plugins.secrets import resolve
from engine.templates import registry
from engine.templates.protocol import NodeType, StepReport, StepWork
from engine.templates.rendering import holds, render_compensation, render_inputs, variables_of


class StepActivities:
    """Activities over the node types."""

    @activity.defn(name="step.prepare")
    async def prepare(self, wanted: PrepareStep) -> PreparedStep:
        """Evaluate the expressions of a node, or of what takes its work back.

        Raises:
            InputError: an expression comes to nothing, or to inputs that the type does not take.
        """
        node, promotion = wanted.node, wanted.promotion
        variables = variables_of(promotion, promotion.parameters, wanted.ended, wanted.at)
        if wanted.compensates and node.on_rollback is not None:
            inputs = render_compensation(node, variables)
            field = f"nodes.{node.id}.on_rollback.inputs"
            _check(registry.get(node.on_rollback.type), inputs, field, promotion.environment)
            return PreparedStep(runs=True, inputs=inputs)
        if not holds(node, variables):
            return PreparedStep(runs=False, inputs=node.inputs)
        inputs = render_inputs(node, variables)
        field = f"nodes.{node.id}.inputs"
        _check(registry.get(node.type), inputs, field, promotion.environment)
        return PreparedStep(runs=True, inputs=inputs)

    @activity.defn(name="step.run")
    async def run(self, work: StepWork) -> StepReport:
        """Do a step's work, once; whether it is tried again the workflow decides.

        Raises:
            ApplicationError: it failed, final in any case; the first detail is what it puts out all
                the same.
        """
        try:
            node_type = registry.working(work.type)
            field = f"nodes.{work.node_id}.inputs"
            _check(node_type, work.inputs, field, work.promotion.environment)
            report = await node_type.work(work, Services())
            _check_outputs(report.outputs)
        except PromotionEngineError as error:
            raise _failed(error) from error
        return report


class Services:
    """`engine.templates.protocol.StepServices` within an activity."""

    @property
    def calls(self) -> CallLog:
        """See the protocol."""
        return current_calls()

    async def secret(self, reference: str) -> str:
        """See the protocol."""
        return await resolve(reference, self.calls)

    def heartbeat(self) -> None:
        """See the protocol."""
        activity.heartbeat()


def _check(
    node_type: NodeType, inputs: dict[str, Json], field: str, environment: Environment
) -> None:
    try:
        node_type.inputs.model_validate(inputs, context={"groups": environment.groups})
    except ValidationError as error:
        raise InputError(*merged(field, problems_of(error, inputs, field))) from error


def _check_outputs(outputs: dict[str, Json]) -> None:
    try:
        size = len(canonical_json(outputs))
    except ValueError as error:
        raise StepError(f"what it puts out has no JSON form: {error}") from error
    if size > MAX_OUTPUT_BYTES:
        raise StepError(f"it puts out {size} bytes, and {MAX_OUTPUT_BYTES} are taken; put out less")


def _failed(error: PromotionEngineError) -> ApplicationError:
    outputs = error.outputs if isinstance(error, StepError) and error.outputs else {}
    return ApplicationError(
        str(error), dict(outputs), type=type(error).__name__, non_retryable=True
    )
