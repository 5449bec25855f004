"""The figures of real promotions, as a collector receives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError

from engine.metrics.names import METRICS, Kind
from engine.model.promotion import PromotionStatus
from engine.telemetry.resource import resource
from tests.harness.metrics_receiver import (
    MetricsReceiver,
    grpc_metrics_receiver,
    http_metrics_receiver,
)
from tests.harness.system import System, running_system, trivy_report, until, with_agents

GATES = (
    "[{type: security, config: {max_critical: 0}}, "
    "{type: approval, config: {required: 1, groups: [managers]}}]"
)


@pytest.fixture(params=["grpc", "http/protobuf"])
async def measured(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    temporal_address: str,
    otel_variables: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[System, MetricsReceiver]]:
    """A system whose traces are never sampled: metrics count all the same."""
    otel_variables.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    otel_variables.setenv("OTEL_TRACES_SAMPLER", "always_off")
    receiving = grpc_metrics_receiver if request.param == "grpc" else http_metrics_receiver
    with receiving() as receiver:
        async with running_system(
            tmp_path,
            temporal_address,
            otel_variables,
            endpoint=receiver.endpoint,
            protocol=request.param,
        ) as system:
            await system.apply(
                "groups: {managers: [alice, bob]}\nenvironments:\n"
                + system.environment_yaml("staging", targets=1)
                + system.environment_yaml("production", targets=1, gates=GATES)
            )
            yield system, receiver


async def test_promotions_of_all_ends_are_counted_and_measured(
    measured: tuple[System, MetricsReceiver],
) -> None:
    system, receiver = measured
    where = {"tenant_name": system.tenant}
    good, bad = (
        await system.release("1.0.0"),
        await system.release("2.0.0", trivy_report(critical=1)),
    )
    lost = await system.release("3.0.0", lost=True)
    async with with_agents(system, "staging-t1", "production-t1"):
        await (await system.start(good, "staging")).result()
        with pytest.raises(WorkflowFailureError):
            await (await system.start(lost, "staging")).result()
        denied = await (await system.start(bad, "production")).result()
        assert denied["status"] == "denied"
        waiting = await system.start(good, "production")
        await system.until_status(waiting.id, PromotionStatus.AWAITING_APPROVAL)
        await waiting.execute_update("approve", {"user": "bob"})
        await waiting.result()

    def ended(environment: str, status: str) -> float:
        return receiver.value(
            "promotion.ended", **where, environment_name=environment, promotion_status=status
        )

    await until(lambda: ended("production", "succeeded") == 1, "the last promotion is counted")
    await until(
        lambda: receiver.count("promotion.duration", **where) == 4, "all promotions are measured"
    )
    assert ended("staging", "succeeded") == ended("staging", "failed") == 1
    assert ended("production", "denied") == 1
    # What never happened is there as 0.
    assert ended("production", "failed") == ended("staging", "rejected") == 0

    def gates(name: str, result: str) -> float:
        return receiver.value(
            "promotion.gate.results",
            **where,
            environment_name="production",
            gate_name=name,
            gate_type=name,
            gate_result=result,
        )

    assert (gates("security", "passed"), gates("security", "failed")) == (1, 1)
    assert (gates("approval", "passed"), gates("approval", "skipped")) == (1, 1)

    def measured_times(name: str, **wanted: str) -> int:
        return receiver.count(name, **where, **wanted)

    assert measured_times("promotion.duration", promotion_status="succeeded") == 2
    assert measured_times("promotion.duration", promotion_status="failed") == 1
    assert measured_times("promotion.duration", promotion_status="denied") == 1
    assert measured_times("promotion.approval.wait.duration", approval_result="passed") >= 1
    run = "cicd.pipeline.run.duration"
    assert measured_times(run, cicd_pipeline_result="success") == 2
    assert measured_times(run, cicd_pipeline_result="failure") == 1
    assert (
        measured_times(run, cicd_pipeline_name="standard", cicd_pipeline_run_state="executing") == 3
    )
    assert (
        measured_times(
            "promotion.step.duration", step_type="deploy", cicd_pipeline_task_run_result="failure"
        )
        == 1
    )
    for kind in ("pull", "deploy", "health_check"):
        assert (
            measured_times("promotion.task.duration", task_type=kind, task_status="succeeded") == 2
        )
    assert measured_times("promotion.task.duration", task_type="pull", task_status="failed") == 1

    def dora(name: str, environment: str) -> float:
        return receiver.value(name, **where, environment_name=environment)

    await until(lambda: dora("dora.deployment.frequency", "production") > 0, "the figures are told")
    assert dora("dora.change.failure_rate", "staging") == 0.5
    assert dora("dora.change.failure_rate", "production") == 0
    assert dora("dora.deployment.frequency", "staging") == pytest.approx(1 / 30)
    assert dora("dora.change.lead_time", "production") > 0
    assert receiver.of("dora.deployment.recovery_time", **where) == []


async def test_a_process_s_own_metrics_and_temporal_s_have_one_resource(
    measured: tuple[System, MetricsReceiver],
) -> None:
    system, receiver = measured
    async with with_agents(system, "staging-t1"):
        await (await system.start(await system.release("1.0.0"), "staging")).result()
        name = "temporal_activity_execution_latency"
        await until(
            lambda: receiver.count(name, activity_type="agent.task.deploy") == 1,
            "the agent's metrics arrive",
        )
        await until(
            lambda: receiver.count("temporal_workflow_endtoend_latency") >= 1, "the worker's"
        )
    assert receiver.value("temporal_worker_task_slots_available", worker_type="WorkflowWorker") > 0
    (latency, *_) = receiver.of("temporal_activity_execution_latency")
    assert (latency.kind, latency.unit) == ("histogram", "s")
    assert latency.bounds[0] < 0.01 < 3600 < latency.bounds[-1]
    resources = receiver.resources
    assert {each["service.name"] for each in resources} == {"stella-release-orchestrator"}
    assert {each["service.namespace"] for each in resources} == {"stella-ops"}
    # Worker and agent are one process here.
    (instance,) = {each["service.instance.id"] for each in resources}
    assert instance == resource().attributes["service.instance.id"]


async def test_the_queue_of_an_environment_is_as_long_as_those_who_wait(
    measured: tuple[System, MetricsReceiver],
) -> None:
    system, receiver = measured
    release = await system.release("1.0.0")

    def queue(environment: str) -> float:
        return receiver.value(
            "promotion.lock.queue.size", tenant_name=system.tenant, environment_name=environment
        )

    # No agent runs, so that the first one holds the lock.
    first = await system.start(release, "staging")
    await system.until_status(first.id, PromotionStatus.RUNNING)
    others = [await system.start(release, "staging") for _ in range(2)]
    for other in others:
        await system.until_status(other.id, PromotionStatus.QUEUED)
    await until(lambda: queue("staging") == 2, "two wait")
    assert queue("production") == 0
    # One that is terminated is recorded as waiting for ever.
    await others[0].terminate()
    await until(lambda: queue("staging") == 1, "one waits")
    for handle in (others[1], first):
        await handle.execute_update("cancel", {"user": "alice"})
    await until(lambda: queue("staging") == 0, "none waits")


async def test_every_metric_of_ours_is_declared_and_has_its_attributes_and_no_others(
    measured: tuple[System, MetricsReceiver],
) -> None:
    system, receiver = measured
    good = await system.release("1.0.0")
    async with with_agents(system, "staging-t1", "production-t1"):
        await (await system.start(good, "staging")).result()
        waiting = await system.start(good, "production")
        await system.until_status(waiting.id, PromotionStatus.AWAITING_APPROVAL)
        await waiting.execute_update("approve", {"user": "bob"})
        await waiting.result()
    await until(lambda: receiver.count("promotion.duration", tenant_name=system.tenant) == 2, "two")
    await until(lambda: bool(receiver.of("promotion.trace.settlement.backlog")), "the backlog")
    declared = {metric.name: metric for metric in METRICS}
    foreign = ("temporal_", "otel.")
    received = {name for name in receiver.units() if not name.startswith(foreign)}
    # Nothing has failed, so nothing was recovered from.
    assert received == declared.keys() - {"dora.deployment.recovery_time"}
    kinds = {
        Kind.OBSERVABLE_COUNTER: "sum",
        Kind.OBSERVABLE_GAUGE: "gauge",
        Kind.HISTOGRAM: "histogram",
    }
    for name in received:
        metric = declared[name]
        assert receiver.units()[name] == (kinds[metric.kind], metric.unit)
        for attributes, points in receiver.series(name).items():
            assert {key for key, _ in attributes} <= set(metric.attributes)
            assert not [point for point in points if point.delta]
            for point in points:
                assert point.bounds == metric.boundaries
