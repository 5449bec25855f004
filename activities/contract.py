"""Arguments and results of activities that are no values of the domain."""

from __future__ import annotations

from uuid import UUID

from engine.model.approval import Vote
from engine.model.base import Duration, Json, Timestamp, Value
from engine.model.deployment import DeploymentResult
from engine.model.execution import StepResult, StepStatus
from engine.model.failure import Failure
from engine.model.freeze import Closure, FreezeExemptions
from engine.model.lineage import Lineage
from engine.model.promotion import PromotionRequest, PromotionSnapshot, PromotionStatus
from engine.model.template import Node
from engine.model.trace import UnsettledTrace
from engine.model.verdict import Decision, GateResult
from engine.telemetry.propagation import TraceContext


class ResolveInput(Value):
    """What `promotion.resolve` takes: the request, and who carries it out.

    Attributes:
        run_id: Temporal's id of the first run of the workflow's chain of runs.
        at: the workflow's time.
    """

    request: PromotionRequest
    promotion_id: UUID
    workflow_id: str
    run_id: str
    requested_at: Timestamp
    at: Timestamp
    trace_id: str
    caller: TraceContext | None = None


class Resolution(Value):
    """What a request was resolved to, and what is to become of its trace.

    Attributes:
        sampled: the head decision.
        settle_after: how long after the promotion's end its trace is settled; None where nothing
            is exported.
        lineage: the promotions that it follows upon.
        has_freezes: whether freezes by hand hold for the environment, now or later.
    """

    promotion: PromotionSnapshot
    sampled: bool
    lineage: Lineage = Lineage()
    settle_after: Duration | None = None
    has_freezes: bool = False


class StatusRecord(Value):
    """A promotion's status as of a moment.

    Attributes:
        superseded_by: the promotion that took its place, with the status `superseded`.
        unsettled: with a final status, its trace when that is to be settled.
    """

    promotion_id: UUID
    status: PromotionStatus
    decision: Decision | None = None
    failure: Failure | None = None
    superseded_by: UUID | None = None
    at: Timestamp
    unsettled: UnsettledTrace | None = None


class GateRecord(Value):
    """The end of one gate of a promotion."""

    promotion_id: UUID
    result: GateResult


class VoteRecord(Value):
    """One vote on a promotion."""

    promotion_id: UUID
    vote: Vote


class RunRecord(Value):
    """The run of a promotion's template; `ended_at` is None while it goes on."""

    promotion_id: UUID
    run_id: UUID
    template: str
    template_version: str
    status: StepStatus
    started_at: Timestamp
    ended_at: Timestamp | None = None


class StepRecord(Value):
    """The end of one step of a promotion."""

    promotion_id: UUID
    result: StepResult


class JobRecord(Value):
    """The end of a promotion's deployment job with all its tasks."""

    promotion_id: UUID
    result: DeploymentResult


class PrepareStep(Value):
    """What `step.prepare` takes: a node with expressions that is about to start.

    Attributes:
        ended: the steps whose outputs the expressions may speak of.
        compensates: whether the node's work is to be taken back.
        at: the workflow's time.
    """

    promotion: PromotionSnapshot
    node: Node
    ended: tuple[StepResult, ...]
    compensates: bool = False
    at: Timestamp


class PreparedStep(Value):
    """A node whose expressions are evaluated.

    Attributes:
        runs: False where its condition does not hold; the inputs are then as written.
    """

    runs: bool
    inputs: dict[str, Json]


class BoundaryQuestion(Value):
    """What `freeze.check` takes: a promotion that is under way, and wants to go on.

    Attributes:
        has_begun: whether it has changed targets already.
        at: the workflow's time.
    """

    promotion: PromotionSnapshot
    exemptions: FreezeExemptions
    has_begun: bool
    at: Timestamp


class BoundaryAnswer(Value):
    """What stops the promotion; None when it may go on."""

    closure: Closure | None = None
