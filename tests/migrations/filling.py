"""Fills a database as far as its revision goes, and reads everything back."""

from __future__ import annotations

from uuid import UUID

from engine.model import identity
from engine.model.approval import Vote, VoteDecision
from engine.model.auto_promotion import Hold
from engine.model.base import Value
from engine.model.canonical import digest_of_bytes, sha256_hex
from engine.model.execution import StepResult, StepStatus
from engine.model.failure import Failure
from engine.model.freeze import Freeze
from engine.model.promotion import PromotionStatus
from engine.model.template import Compensation, Node, Parameter, ParameterType, Template
from engine.model.trace import TracedRun, UnsettledTrace
from engine.model.verdict import Decision, GateOutcome, GateResult
from engine.store.store import Store
from tests.store.samples import (
    REPORT,
    START,
    TENANT,
    TRACE_ID,
    after,
    contents,
    definition,
    release,
    result,
    running,
    snapshot,
    start_job,
    tasks,
)

PROMOTION = snapshot()
ID = PROMOTION.promotion_id
JOB = identity.job_id(ID, "deploy")
TRACE = UnsettledTrace(
    promotion_id=ID,
    workflow_id="promotion/1",
    run_id="run-1",
    trace_id=TRACE_ID,
    ended_at=after(90),
)
RUN = TracedRun(
    trace_id=TRACE_ID,
    workflow_id="promotion/1",
    span_ids=("00f067aa0ba902b7",),
    children=("promotion/1/workflow",),
)
FREEZE = Freeze(
    id=identity.promotion_id("freeze", "first-run"),
    tenant_id=PROMOTION.tenant_id,
    name="audit",
    environment="production",
    reason="the auditors are here",
    stops_the_line=True,
    start=after(93),
    end=after(200),
    created_by="bob",
    created_at=after(93),
)
TEMPLATE = Template(
    name="careful",
    parameters={"pause": Parameter(type=ParameterType.DURATION, default="15m")},
    nodes=(
        Node(id="deploy", type="deploy", on_rollback=Compensation(type="deploy")),
        Node(id="check", type="verify", needs=("deploy",), when="promotion.is_rollback"),
    ),
)
HOLD = Hold(
    id=identity.hold_id(PROMOTION.environment.id, ID),
    environment_id=PROMOTION.environment.id,
    promotion_id=ID,
    reason="came back",
    held_by="alice",
    held_at=after(94),
)
FAILURE = Failure(type="DriverError", message="no space left")


async def fill_catalogue(store: Store) -> None:
    """What revision 0001 has room for: environments and releases."""
    await store.environments.apply(definition(targets=["gone"]), at=START)
    await store.environments.apply(definition(), at=after(1))
    await store.releases.register(TENANT, release(), contents(), at=START)


async def fill_promotions(store: Store) -> None:
    """What revision 0002 adds: a promotion with a gate and a vote."""
    await store.promotions.open(PROMOTION, "promotion/1", "run-1", TRACE_ID)
    gate = GateResult(
        name="security",
        type="security",
        outcome=GateOutcome.PASSED,
        reason="clean",
        attributes={"vulnerabilities.critical": 0},
        inputs={"report": digest_of_bytes(REPORT)},
        error=FAILURE,
        started_at=after(2),
        ended_at=after(3),
    )
    binding = PROMOTION.binding
    vote = Vote(user="bob", decision=VoteDecision.APPROVE, binding=binding, at=after(4))
    await store.promotions.record_gate(ID, gate)
    await store.promotions.record_vote(ID, vote)
    await store.promotions.record_status(
        ID, PromotionStatus.FAILED, Decision.ALLOW, at=after(90), failure=FAILURE
    )


async def fill_executions(store: Store) -> None:
    """What revision 0003 adds: a run, a step, a job and its tasks."""
    run: UUID = identity.workflow_run_id(ID)
    step = StepResult(
        node_id="deploy",
        type="deploy",
        run_id=identity.step_run_id(ID, "deploy"),
        status=StepStatus.FAILED,
        failure=FAILURE,
        inputs={"batch_size": 2},
        started_at=after(5),
        ended_at=after(80),
    )
    await store.executions.record_run(
        ID, run, "standard", "1", StepStatus.FAILED, after(5), after(80)
    )
    await store.executions.record_step(ID, step)
    await start_job(store, PROMOTION)
    work = tasks(PROMOTION, definition().targets)
    await store.executions.assign_tasks(JOB, work)
    await store.executions.record_tasks(JOB, [result(work[1], running(PROMOTION))])


async def fill_evidence(store: Store) -> None:
    """What revision 0004 adds: a statement and its envelope."""
    evidence, statement = identity.evidence_id(ID), b"statement"
    await store.evidence.put_statement(
        evidence, ID, statement, sha256_hex(statement), finished_at=after(90)
    )
    await store.evidence.put_envelope(evidence, sha256_hex(statement), "key-1", b"envelope")


async def fill_receipts(store: Store) -> None:
    """What revision 0005 adds: receipts of exported spans."""
    await store.receipts.add([(TRACE_ID, "00f067aa0ba902b7"), (TRACE_ID, "00f067aa0ba902b8")])


async def fill_traces(store: Store) -> None:
    """What revision 0006 adds: a trace to be settled, and a closed run of it."""
    await store.traces.owe(TRACE)
    await store.traces.add_runs([RUN])


async def fill_rules(store: Store) -> None:
    """What revision 0007 adds: a freeze, two versions of a template, and a hold."""
    await store.freezes.add(TENANT, FREEZE)
    await store.templates.apply(TENANT, TEMPLATE, at=after(91))
    await store.templates.apply(TENANT, TEMPLATE.model_copy(update={"version": "2"}), at=after(92))
    await store.holds.add(HOLD)
    await store.holds.lift(HOLD.environment_id, by="bob", at=after(95), reason="fixed")


async def read_catalogue(store: Store) -> list[Value | bytes]:
    """Everything that `fill_catalogue` wrote."""
    return [
        *await store.environments.list(TENANT),
        *await store.environments.revisions(TENANT, "production"),
        *await store.releases.list(TENANT),
        await store.releases.attachment(digest_of_bytes(REPORT)),
    ]


async def read_promotions(store: Store) -> list[Value | bytes]:
    """Everything that `fill_promotions` wrote."""
    return [*await store.promotions.list(TENANT)]


async def read_executions(store: Store) -> list[Value | bytes]:
    """What the repository returns of that which `fill_executions` wrote."""
    environment = PROMOTION.environment.id
    return [*await store.executions.tasks(JOB), *await store.executions.running(environment)]


async def read_evidence(store: Store) -> list[Value | bytes]:
    """Everything that `fill_evidence` wrote."""
    return [await store.evidence.get(ID)]


async def read_receipts(store: Store) -> list[Value | bytes]:
    """Everything that `fill_receipts` wrote."""
    return [span.encode() for span in sorted(await store.receipts.of(TRACE_ID))]


async def read_traces(store: Store) -> list[Value | bytes]:
    """Everything that `fill_traces` wrote."""
    return [*await store.traces.owed(), *await store.traces.runs(TRACE_ID)]


async def read_rules(store: Store) -> list[Value | bytes]:
    """Everything that `fill_rules` wrote."""
    return [
        *await store.freezes.list(TENANT, after(94), past=True),
        *await store.templates.list(TENANT),
        *await store.holds.all(HOLD.environment_id),
    ]


STAGES = {
    "0001": (fill_catalogue, read_catalogue),
    "0002": (fill_promotions, read_promotions),
    "0003": (fill_executions, read_executions),
    "0004": (fill_evidence, read_evidence),
    "0005": (fill_receipts, read_receipts),
    "0006": (fill_traces, read_traces),
    "0007": (fill_rules, read_rules),
}
"""By revision: what fills the tables that it adds, and what reads them back."""
