"""Durations out of what activities record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader

from activities.contract import GateRecord, JobRecord, RunRecord, StatusRecord, StepRecord
from engine.errors import UnreachableError
from engine.metrics import durations as module
from engine.metrics import names
from engine.metrics.durations import Durations
from engine.model.agent_task import TaskResult, TaskStatus, TaskType
from engine.model.delivery import Subject
from engine.model.deployment import DeploymentResult, JobStatus
from engine.model.execution import StepResult, StepStatus
from engine.model.promotion import PromotionStatus
from engine.model.verdict import GateOutcome, GateResult
from tests.metrics.history import NOW

Measured = dict[tuple[str, ...], tuple[int, float]]
PROMOTION = uuid4()


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Exported:
    """The histograms, over a lookup that counts."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.lookups = 0
        self.error: Exception | None = None
        meter = MeterProvider([self.reader]).get_meter("test")
        self.durations = Durations(meter, self.subject)

    async def subject(self, promotion_id: UUID) -> Subject | None:
        self.lookups += 1
        if self.error is not None:
            raise self.error
        if promotion_id != PROMOTION:
            return None
        return Subject(tenant="acme", environment="production", requested_at=NOW)

    def measured(self, metric: names.Metric) -> Measured:
        """How often and how long, by the attributes beside tenant and environment."""
        data = self.reader.get_metrics_data()
        found: Measured = {}
        for resource in data.resource_metrics if data else []:
            for scope in resource.scope_metrics:
                for each in scope.metrics:
                    for point in each.data.data_points if each.name == metric.name else []:
                        assert isinstance(point, HistogramDataPoint)
                        attributes = dict(point.attributes or {})
                        assert attributes.pop(names.TENANT_NAME) == "acme"
                        assert attributes.pop(names.ENVIRONMENT_NAME) == "production"
                        key = tuple(str(attributes[name]) for name in sorted(attributes))
                        found[key] = (point.count, point.sum)
        return found


@pytest.fixture
async def exported() -> AsyncIterator[Exported]:
    found = Exported()
    running = asyncio.create_task(found.durations.run())
    yield found
    running.cancel()


def status(
    value: PromotionStatus, seconds: float = 90, promotion: UUID = PROMOTION
) -> StatusRecord:
    return StatusRecord(promotion_id=promotion, status=value, at=at(seconds))


def step(kind: str, ended: StepStatus, node: str = "one") -> StepRecord:
    return StepRecord(
        promotion_id=PROMOTION,
        result=StepResult(
            node_id=node, type=kind, run_id=uuid4(), status=ended, started_at=at(5),
            ended_at=at(25),
        ),
    )  # fmt: skip


def gate(kind: str, outcome: GateOutcome) -> GateRecord:
    return GateRecord(
        promotion_id=PROMOTION,
        result=GateResult(
            name=kind, type=kind, outcome=outcome, reason="because", started_at=at(1),
            ended_at=at(61),
        ),
    )  # fmt: skip


def job() -> JobRecord:
    def task(kind: TaskType, ended: TaskStatus, seconds: float) -> TaskResult:
        return TaskResult(
            task_id=uuid4(), type=kind, target="t1", target_id=uuid4(), agent="a1",
            agent_id=uuid4(), component="web", status=ended, started_at=at(10),
            ended_at=at(10 + seconds),
        )  # fmt: skip

    return JobRecord(
        promotion_id=PROMOTION,
        result=DeploymentResult(
            job_id=uuid4(), node_id="deploy", strategy="rolling", status=JobStatus.FAILED,
            target_count=2, batch_size=1, started_at=at(9), ended_at=at(40),
            tasks=(
                task(TaskType.PULL, TaskStatus.SUCCEEDED, 2),
                task(TaskType.PULL, TaskStatus.SUCCEEDED, 3),
                task(TaskType.DEPLOY, TaskStatus.FAILED, 30),
            ),
        ),
    )  # fmt: skip


async def test_a_promotion_is_measured_from_its_request_to_its_final_status(
    exported: Exported,
) -> None:
    for value in (PromotionStatus.QUEUED, PromotionStatus.RUNNING, PromotionStatus.SUCCEEDED):
        exported.durations.recorded(status(value))
    await exported.durations.drain()
    assert exported.measured(names.PROMOTION_DURATION) == {("succeeded",): (1, 90)}


async def test_an_activity_that_runs_twice_is_measured_once(exported: Exported) -> None:
    once = job()
    for _ in range(3):
        exported.durations.recorded(status(PromotionStatus.FAILED))
        exported.durations.recorded(once)
    await exported.durations.drain()
    assert exported.measured(names.PROMOTION_DURATION) == {("failed",): (1, 90)}
    assert exported.measured(names.TASK_DURATION) == {
        ("succeeded", "pull"): (2, 5),
        ("failed", "deploy"): (1, 30),
    }
    assert exported.lookups == 1


async def test_approvals_are_measured_as_gates_and_as_steps(exported: Exported) -> None:
    exported.durations.recorded(gate("approval", GateOutcome.PASSED))
    exported.durations.recorded(gate("security", GateOutcome.FAILED))
    exported.durations.recorded(step("approval", StepStatus.FAILED))
    exported.durations.recorded(step("approval", StepStatus.CANCELLED, "two"))
    exported.durations.recorded(step("approval", StepStatus.SKIPPED, "three"))
    await exported.durations.drain()
    assert exported.measured(names.APPROVAL_WAIT) == {
        ("passed",): (1, 60),
        ("failed",): (1, 20),
        ("skipped",): (1, 20),
    }
    assert exported.measured(names.STEP_DURATION) == {
        ("failure", "approval"): (1, 20),
        ("cancellation", "approval"): (1, 20),
    }


async def test_what_takes_work_back_is_measured_and_what_was_taken_over_is_not(
    exported: Exported,
) -> None:
    done = step("command", StepStatus.SUCCEEDED)
    back = done.result.model_copy(update={"compensates": "one"})
    over = done.result.model_copy(update={"node_id": "two", "taken_over_from": uuid4()})
    exported.durations.recorded(done)
    for result in (back, back, over):
        exported.durations.recorded(done.model_copy(update={"result": result}))
    await exported.durations.drain()
    assert exported.measured(names.STEP_DURATION) == {("success", "command"): (2, 40)}


async def test_a_run_is_measured_when_it_has_ended(exported: Exported) -> None:
    for ended, value in ((None, StepStatus.RUNNING), (at(50), StepStatus.CANCELLED)):
        exported.durations.recorded(
            RunRecord(
                promotion_id=PROMOTION, run_id=uuid4(), template="standard", template_version="1",
                status=value, started_at=at(10), ended_at=ended,
            )
        )  # fmt: skip
    await exported.durations.drain()
    assert exported.measured(names.PIPELINE_DURATION) == {
        ("standard", "cancellation", "executing"): (1, 40)
    }


async def test_a_run_that_failed_has_an_error_type_as_the_conventions_want(
    exported: Exported,
) -> None:
    exported.durations.recorded(
        RunRecord(
            promotion_id=PROMOTION, run_id=uuid4(), template="standard", template_version="1",
            status=StepStatus.FAILED, started_at=at(10), ended_at=at(11),
        )
    )  # fmt: skip
    await exported.durations.drain()
    assert exported.measured(names.PIPELINE_DURATION) == {
        ("standard", "failure", "executing", "_OTHER"): (1, 1)
    }


async def test_what_cannot_be_looked_up_is_lost_and_counted_and_the_next_is_measured(
    exported: Exported,
) -> None:
    exported.error = UnreachableError("the database is away")
    exported.durations.recorded(status(PromotionStatus.FAILED))
    await exported.durations.drain()
    exported.error = None
    exported.durations.recorded(gate("approval", GateOutcome.PASSED))
    exported.durations.recorded(status(PromotionStatus.FAILED, promotion=uuid4()))
    await exported.durations.drain()
    assert exported.measured(names.PROMOTION_DURATION) == {}
    assert exported.measured(names.APPROVAL_WAIT) == {("passed",): (1, 60)}


async def test_what_is_kept_is_bounded(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 2)
    for number in range(5):
        exported.durations.recorded(step("deploy", StepStatus.SUCCEEDED, f"n{number}"))
    await exported.durations.drain()
    assert len(exported.durations._measured) == 2
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    full = Exported()
    for _ in range(5):
        full.durations.recorded(status(PromotionStatus.FAILED))
    assert full.durations._lost == 3
