"""What each rule makes of real values, held against what the specification asks of its span."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio import activity

from activities.registry import agent_activities
from engine.model import identity
from engine.model.agent_task import AgentTask, TaskAttempt, TaskReport, TaskType
from engine.model.canonical import digest_of_bytes
from engine.model.deployment import Assignment, DeploymentRequest, TargetPlan
from engine.model.environment import Target
from engine.model.evidence import GeneratedEvidence, SignedEvidence
from engine.model.execution import ExecutionRequest
from engine.model.strategy import Rolling
from engine.model.verdict import AttributeValue
from engine.telemetry.mapping import ActivityEnd, activity_rule, workflow_start
from tests.conformance.checker import SPEC, TYPES, rule_for
from tests.evidence.samples import ENVIRONMENT, PROMOTION, START, TENANT, WEB, allowed, snapshot

RUN = identity.workflow_run_id(PROMOTION)
JOB = identity.job_id(PROMOTION, "deploy")
AGENT = identity.agent_id(TENANT, "host-1")
TARGET = Target(
    id=identity.target_id(ENVIRONMENT, "web-1"),
    name="web-1",
    agent="host-1",
    agent_id=AGENT,
    driver="directory",
)
EVIDENCE = identity.evidence_id(PROMOTION)
DIGEST = digest_of_bytes(b"statement").removeprefix("sha256:")
GENERATED = GeneratedEvidence(id=EVIDENCE, promotion_id=PROMOTION, sha256=DIGEST)
DEPLOYMENT = DeploymentRequest(
    promotion=snapshot(), node_id="deploy", strategy=Rolling(batch_size=1)
)


def task(kind: TaskType) -> AgentTask:
    return AgentTask(
        id=identity.task_id(JOB, TARGET.id, "web", kind),
        type=kind,
        job_id=JOB,
        promotion_id=PROMOTION,
        tenant_id=TENANT,
        release="shop@2.0.0",
        component=WEB,
        target=TARGET,
        timeout=timedelta(minutes=5),
    )


def report(
    kind: TaskType, started: float = 4.5, ended: float = 6.0, attempt: int = 3
) -> TaskReport:
    return TaskReport(
        task_id=task(kind).id,
        started_at=START + timedelta(seconds=started),
        ended_at=START + timedelta(seconds=ended),
        attempt=attempt,
        changed=True,
    )


@dataclass(frozen=True)
class Mapped:
    """A span as the rules make it."""

    identity: str
    attributes: dict[str, Any]


def of_workflow(name: str, argument: object) -> Mapped:
    start = workflow_start(name, f"promotion/{PROMOTION}", "run", [argument])
    assert start is not None
    assert start.promotion_id == PROMOTION
    assert start.promotion == snapshot()
    return Mapped(start.identity, start.attributes)


def of_activity(name: str, argument: object, result: object) -> Mapped:
    rule = activity_rule(name)
    assert rule is not None
    start = rule.start(argument)
    end = rule.end(result, START)
    return Mapped(start.identity, {**start.attributes, **end.attributes})


ASSIGNMENT = Assignment(
    job_id=JOB,
    target_count=1,
    batch_size=1,
    batches=((TargetPlan(target="web-1", tasks=(task(TaskType.PULL),)),),),
)
MAPPED: dict[str, Callable[[], Mapped]] = {
    "workflow.execute": lambda: of_workflow(
        "workflow.execute", ExecutionRequest(promotion=snapshot())
    ),
    "deployment.execute": lambda: of_workflow("deployment.execute", DEPLOYMENT),
    "deployment.assign_tasks": lambda: of_activity(
        "deployment.assign_tasks", DEPLOYMENT, ASSIGNMENT
    ),
    "evidence.generate": lambda: of_activity("evidence.generate", allowed(), GENERATED),
    "evidence.sign": lambda: of_activity(
        "evidence.sign", GENERATED, SignedEvidence(id=EVIDENCE, sha256=DIGEST, key_id="k1")
    ),
    **{
        f"agent.task.{kind}": partial(of_activity, f"agent.task.{kind}", task(kind), report(kind))
        for kind in TaskType
    },
}
EXPECTED: dict[str, Mapped] = {
    "workflow.execute": Mapped(
        str(RUN),
        {
            "workflow.run_id": str(RUN),
            "workflow.template_name": "standard",
            "workflow.template_version": "1",
            "cicd.pipeline.name": "standard",
            "cicd.pipeline.run.id": str(RUN),
        },
    ),
    "deployment.execute": Mapped(
        str(JOB),
        {
            "deployment.job_id": str(JOB),
            "deployment.strategy": "rolling",
            "deployment.target_count": 1,
            "deployment.batch_size": 0,
            "deployment.id": str(JOB),
            "deployment.name": "deploy",
            "deployment.environment.name": "production",
        },
    ),
    "deployment.assign_tasks": Mapped(
        str(JOB), {"deployment.job_id": str(JOB), "deployment.target_count": 1}
    ),
    "evidence.generate": Mapped(
        str(EVIDENCE),
        {
            "promotion.id": str(PROMOTION),
            "evidence.id": str(EVIDENCE),
            "evidence.sha256": DIGEST,
        },
    ),
    "evidence.sign": Mapped(
        str(EVIDENCE),
        {
            "promotion.id": str(PROMOTION),
            "evidence.id": str(EVIDENCE),
            "evidence.key_id": "k1",
        },
    ),
    **{
        f"agent.task.{kind}": Mapped(
            str(task(kind).id),
            {
                "task.id": str(task(kind).id),
                "task.type": kind.value,
                "task.attempt": 3,
                "task.wait_seconds": 4.5,
                "agent.id": str(AGENT),
                "agent.name": "host-1",
                "cicd.worker.id": str(AGENT),
                "cicd.worker.name": "host-1",
                "target.id": str(TARGET.id),
                "target.name": "web-1",
            },
        )
        for kind in TaskType
    },
}
# Beyond the specification: OpenTelemetry's own conventions, and names for people.
EXTRAS = {
    "workflow.execute": {"cicd.pipeline.name", "cicd.pipeline.run.id"},
    "deployment.execute": {"deployment.id", "deployment.name", "deployment.environment.name"},
    "agent.task.{type}": {
        "agent.name",
        "target.name",
        "task.wait_seconds",
        "cicd.worker.id",
        "cicd.worker.name",
    },
}
# The spans that workflow code opens by itself, and the ones that nothing does as yet.
NOT_MAPPED = {
    "promotion.request", "promotion.evaluate_gates", "gate.{type}", "workflow.step.{type}",
    "plugin.{method}",
}  # fmt: skip
# What the scope adds to every span of a promotion.
COMMON = {"tenant.id", "user.id", "release.id", "environment.name", "error", "error.type"}


def specified(name: str) -> tuple[str, set[str]]:
    """The rule for a span name, and what it requires beside the common attributes."""
    rule = rule_for(name)
    assert rule is not None
    extra = rule.get("extra", {})
    return rule["name"], {*rule["attributes"], *extra.get("all", ()), *extra.get(name, ())}


@pytest.mark.parametrize("name", MAPPED)
def test_a_rule_gives_what_the_specification_requires_and_nothing_unknown(name: str) -> None:
    given = MAPPED[name]()
    assert given == EXPECTED[name]
    rule, required = specified(name)
    assert given.attributes.keys() == required | EXTRAS.get(rule, set())


@pytest.mark.parametrize("name", MAPPED)
def test_attributes_have_the_specifications_types(name: str) -> None:
    for key, value in MAPPED[name]().attributes.items():
        wanted = float if key == "task.wait_seconds" else TYPES.get(key, str)
        assert type(value) is wanted, key


def test_every_span_of_the_specification_is_accounted_for() -> None:
    mapped = {specified(name)[0] for name in MAPPED}
    assert mapped | NOT_MAPPED == {rule["name"] for rule in SPEC["spans"]}
    assert set(SPEC["common_attributes"]) == COMMON


def test_every_task_of_an_agent_has_a_rule() -> None:
    names = set()
    for function in agent_activities("host-1", Path()):
        definition = activity._Definition.must_from_callable(function)
        assert definition.name is not None
        names.add(definition.name)
    assert names == {f"agent.task.{kind}" for kind in TaskType}
    assert all(activity_rule(name) is not None for name in names)


@pytest.mark.parametrize("name", ["promotion.resolve", "gate.evaluate", "agent.task", "", "x"])
def test_other_activities_have_no_span(name: str) -> None:
    assert activity_rule(name) is None


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("environment.lock", ()),
        ("trace.settle", ({},)),
        ("workflow.execute", ()),
        ("workflow.execute", ({"promotion": {}},)),
        ("workflow.execute", (None,)),
        ("deployment.execute", (ExecutionRequest(promotion=snapshot()),)),
        ("deployment.execute", ()),
    ],
)
def test_other_workflows_and_foreign_arguments_have_no_span(
    name: str, arguments: tuple[object, ...]
) -> None:
    assert workflow_start(name, "id", "run", arguments) is None


@pytest.mark.parametrize("arguments", [(), (None,), ("junk",), ({"release": "a@1"},)])
def test_a_promotion_has_its_span_before_anything_of_it_is_known(
    arguments: tuple[object, ...],
) -> None:
    start = workflow_start("promotion.request", f"promotion/{PROMOTION}", "run", arguments)
    assert start is not None
    assert (start.identity, start.promotion_id) == (str(PROMOTION), PROMOTION)
    assert (start.promotion, start.attributes) == (None, {})


def test_a_workflow_id_that_is_used_again_is_another_promotion() -> None:
    first, second = (
        workflow_start("promotion.request", "nightly", run, ()) for run in ("run-1", "run-2")
    )
    assert first is not None
    assert second is not None
    assert first.promotion_id != second.promotion_id
    assert UUID(first.identity) == first.promotion_id


def ended(kind: TaskType, result: TaskReport, scheduled_at: datetime) -> ActivityEnd:
    rule = activity_rule(f"agent.task.{kind}")
    assert rule is not None
    end: ActivityEnd = rule.end(result, scheduled_at)
    return end


@pytest.mark.parametrize("kind", TaskType)
def test_a_tasks_start_and_end_are_those_that_the_agent_reports(kind: TaskType) -> None:
    end = ended(kind, report(kind), START)
    assert end.at == START + timedelta(seconds=6)
    (event,) = end.events
    assert (event.name, event.at) == ("task.started", START + timedelta(seconds=4.5))


def test_the_wait_ends_with_the_first_attempt_and_calls_become_attributes() -> None:
    earlier = TaskAttempt(
        number=1, started_at=START + timedelta(seconds=2), ended_at=START + timedelta(seconds=3)
    )
    calls: dict[str, AttributeValue] = {"server.address": "host", "http.response.status_code": 200}
    told = report(TaskType.PULL).model_copy(update={"earlier": (earlier,), "calls": calls})
    end = ended(TaskType.PULL, told, START)
    assert end.attributes == {**calls, "task.attempt": 3, "task.wait_seconds": 2.0}


def test_a_failed_task_tells_its_last_call() -> None:
    rule = activity_rule("agent.task.health_check")
    assert rule is not None
    last = {
        "number": 2,
        "started_at": "2026-03-02T09:30:00Z",
        "ended_at": "2026-03-02T09:31:00Z",
        "calls": {"http.response.status_code": 503},
    }
    first = {**last, "number": 1, "calls": {"http.response.status_code": 500}}
    detail = {"attempt": 2, "attempts": [first, last]}
    assert rule.failed(detail) == {"task.attempt": 2, "http.response.status_code": 503}


def test_a_clock_that_is_behind_gives_no_negative_wait() -> None:
    end = ended(TaskType.PULL, report(TaskType.PULL, started=-3.0), START)
    assert end.attributes["task.wait_seconds"] == 0.0


@pytest.mark.parametrize(
    ("detail", "attributes"),
    [
        ({"attempt": 5}, {"task.attempt": 5}),
        ({"attempt": "5"}, {}),
        ({"attempt": None}, {}),
        ({}, {}),
        (None, {}),
        ("text", {}),
        ([5], {}),
    ],
)
def test_a_failed_task_tells_its_attempt_where_the_failure_does(
    detail: object, attributes: dict[str, object]
) -> None:
    rule = activity_rule("agent.task.pull")
    assert rule is not None
    assert rule.failed(detail) == attributes


@pytest.mark.parametrize("name", ["evidence.generate", "evidence.sign", "deployment.assign_tasks"])
def test_other_failed_activities_add_nothing(name: str) -> None:
    rule = activity_rule(name)
    assert rule is not None
    assert rule.failed({"attempt": 5}) == {}


@pytest.mark.parametrize("name", sorted(set(MAPPED) - {"workflow.execute", "deployment.execute"}))
def test_a_failed_activity_has_what_the_specification_requires_all_the_same(name: str) -> None:
    arguments: dict[str, object] = {
        "deployment.assign_tasks": DEPLOYMENT,
        "evidence.generate": allowed(),
        "evidence.sign": GENERATED,
        **{f"agent.task.{kind}": task(kind) for kind in TaskType},
    }
    rule = activity_rule(name)
    assert rule is not None
    start = rule.start(arguments[name])
    _, required = specified(name)
    assert {*start.attributes, *rule.failed(None)} >= required
