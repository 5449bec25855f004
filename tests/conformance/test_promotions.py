"""Real promotions, their spans received over OTLP, held against the specification."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry import context as otel_context
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import project
from engine.telemetry.propagation import TraceContext, attach_from_environment, to_otel
from tests.conformance.checker import deviations
from tests.harness.content import contents
from tests.harness.receiver import Received, Receiver, http_receiver
from tests.harness.system import System, running_system, trivy_report, until, with_agents

NEVER = "{name: never, timezone: UTC, start: '2001-01-01T00:00', end: '2001-01-02T00:00'}"
ALWAYS = "{name: closed, timezone: UTC, start: '2001-01-01T00:00', end: '2101-01-01T00:00'}"


def gates(approval: str = "required: 1, groups: [managers]", window: str = NEVER) -> str:
    return (
        "[{type: security, config: {max_critical: 0}}, "
        f"{{type: approval, config: {{{approval}}}}}, "
        f"{{type: freeze_window, config: {{windows: [{window}]}}}}]"
    )


FAILING_STEP = """\
    template:
      name: strict
      nodes:
        - {id: strict-check, type: security-check, inputs: {max_low: 0}}
        - {id: deploy, type: deploy, needs: [strict-check]}
"""


@pytest.fixture
async def system(
    receiver: Receiver,
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[System]:
    async with running_system(
        tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as running:
        await running.apply(
            "groups: {managers: [bob, carol]}\nenvironments:\n"
            + running.environment_yaml("staging")
            + running.environment_yaml(
                "production",
                targets=3,
                gates=gates(),
                more="    sampling: 1.0\n    strategy: {type: rolling, batch_size: 2}\n",
            )
            + running.environment_yaml("frozen", gates=gates(window=ALWAYS))
            + running.environment_yaml("strict", more=FAILING_STEP)
        )
        yield running


async def finished(receiver: Receiver, result: PromotionResult) -> list[Received]:
    """The trace, once its root has come; the root ends last and is exported last."""

    def root_is_here() -> bool:
        return any(span.name == "promotion.request" for span in receiver.of(result.trace_id))

    await until(root_is_here, "the root span was received")
    return receiver.of(result.trace_id)


def failed_result(error: WorkflowFailureError) -> PromotionResult:
    assert isinstance(error.cause, ApplicationError)
    return PromotionResult.model_validate(error.cause.details[0])


def only(spans: list[Received], name: str) -> Received:
    (span,) = [span for span in spans if span.name == name]
    return span


async def test_an_allowed_promotion_conforms(system: System, receiver: Receiver) -> None:
    release = await system.release("1.0.0")
    async with with_agents(system, "production-t1", "production-t2", "production-t3"):
        handle = await system.start(release, "production")
        await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
        await asyncio.sleep(1)
        await handle.execute_update("approve", {"user": "bob", "comment": "go"})
        result = PromotionResult.model_validate(await handle.result())
    spans = await finished(receiver, result)

    assert deviations(spans) == []
    assert result.status is PromotionStatus.SUCCEEDED
    names = [span.name for span in spans]
    for task in ("pull", "deploy", "health_check"):
        assert names.count(f"agent.task.{task}") == 3
    assert {f"workflow.step.{type_}" for type_ in ("security-check", "approval", "deploy")} < set(
        names
    )
    deployment = only(spans, "deployment.execute")
    assert deployment.attributes["deployment.batch_size"] == 2
    waited = only(spans, "gate.approval")
    assert waited.end - waited.start >= 1_000_000_000
    assert waited.attributes["approval.wait_seconds"] == (waited.end - waited.start) / 1e9


async def test_the_histories_tell_the_same_trace(system: System, receiver: Receiver) -> None:
    release = await system.release("1.0.0")
    async with with_agents(system, "staging-t1", "staging-t2"):
        handle = await system.start(release, "staging")
        result = PromotionResult.model_validate(await handle.result())
    spans = await finished(receiver, result)
    told = (await project(system.client, handle.id)).spans

    assert contents(told) == contents(spans)


@pytest.mark.parametrize("gate", ["security", "approval", "freeze_window"])
async def test_a_denial_by_each_gate_conforms(
    system: System, receiver: Receiver, gate: str
) -> None:
    report = trivy_report(critical=2, high=1) if gate == "security" else None
    release = await system.release("1.0.0", report)
    handle = await system.start(release, "frozen" if gate == "freeze_window" else "production")
    if gate == "approval":
        await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
        await handle.execute_update("reject", {"user": "carol", "comment": "not now"})
    result = PromotionResult.model_validate(await handle.result())
    spans = await finished(receiver, result)

    assert deviations(spans) == []
    rejected = PromotionStatus.REJECTED if gate == "approval" else PromotionStatus.DENIED
    assert result.status is rejected
    assert only(spans, f"gate.{gate}").attributes["gate.result"] == "failed"
    root = only(spans, "promotion.request")
    assert root.attributes["promotion.decision"] == "deny"
    assert root.attributes["error"] is False
    assert {span.name for span in spans if not span.name.startswith("gate.")} == {
        "promotion.request",
        "promotion.evaluate_gates",
        "evidence.generate",
        "evidence.sign",
    }
    assert result.evidence is not None


async def test_a_gate_that_breaks_conforms(system: System, receiver: Receiver) -> None:
    release = await system.release("1.0.0", b"no report at all")
    handle = await system.start(release, "production")
    result = PromotionResult.model_validate(await handle.result())
    spans = await finished(receiver, result)

    assert deviations(spans) == []
    assert result.status is PromotionStatus.DENIED
    broken = only(spans, "gate.security")
    assert broken.attributes["error.type"] == "GateError"
    assert broken.attributes["gate.result"] == "failed"
    assert only(spans, "promotion.request").attributes["error"] is False


async def test_a_promotion_that_fails_in_a_step_conforms(
    system: System, receiver: Receiver
) -> None:
    release = await system.release("1.0.0", trivy_report(low=3))
    handle = await system.start(release, "strict")
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    result = failed_result(caught.value)
    assert result.status is PromotionStatus.FAILED
    spans = await finished(receiver, result)

    assert deviations(spans) == []
    step = only(spans, "workflow.step.security-check")
    assert step.attributes["error.type"] == "StepDeniedError"
    for name in ("promotion.request", "workflow.execute"):
        assert only(spans, name).attributes["error"] is True
    assert only(spans, "evidence.sign").attributes["error"] is False
    assert "workflow.step.deploy" not in {span.name for span in spans}


async def test_a_promotion_that_fails_on_a_target_conforms(
    system: System, receiver: Receiver
) -> None:
    release = await system.release("1.0.0", lost=True)
    async with with_agents(system, "staging-t1", "staging-t2"):
        handle = await system.start(release, "staging")
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    result = failed_result(caught.value)
    assert result.status is PromotionStatus.FAILED
    spans = await finished(receiver, result)

    assert deviations(spans) == []
    tasks = [span for span in spans if span.name == "agent.task.pull"]
    assert len(tasks) == 2
    assert all(task.attributes["error"] is True for task in tasks)
    for name in (
        "promotion.request",
        "workflow.execute",
        "workflow.step.deploy",
        "deployment.execute",
    ):
        assert only(spans, name).attributes["error.type"] == tasks[0].attributes["error.type"]


async def test_a_cancelled_promotion_conforms(system: System, receiver: Receiver) -> None:
    release = await system.release("1.0.0")
    handle = await system.start(release, "production")
    await system.until_status(handle.id, PromotionStatus.AWAITING_APPROVAL)
    await handle.execute_update("cancel", {"user": "alice", "reason": "wrong release"})
    result = PromotionResult.model_validate(await handle.result())
    spans = await finished(receiver, result)

    assert deviations(spans) == []
    assert result.status is PromotionStatus.CANCELLED
    assert only(spans, "promotion.request").attributes["error"] is False
    assert only(spans, "gate.approval").attributes["gate.result"] == "skipped"


CALLER = {
    "TRACEPARENT": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "TRACESTATE": "vendor=opaque",
    "BAGGAGE": "build.number=17,tenant.id=forged",
}


async def test_the_trace_continues_the_callers(system: System, receiver: Receiver) -> None:
    release = await system.release("1.0.0", trivy_report(critical=1))
    with attach_from_environment(CALLER):
        handle = await system.start(release, "production")
    result = PromotionResult.model_validate(await handle.result())
    assert result.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"
    spans = await finished(receiver, result)

    assert deviations(spans, caller_span_id="00f067aa0ba902b7") == []
    assert {span.trace_state for span in spans} == {"vendor=opaque"}
    assert "forged" not in {span.attributes["tenant.id"] for span in spans}


async def test_a_caller_that_does_not_sample_is_followed(
    system: System, receiver: Receiver
) -> None:
    unsampled = TraceContext(trace_id="ab" * 16, span_id="cd" * 8, sampled=False)
    release = await system.release("1.0.0", trivy_report(critical=1))
    token = otel_context.attach(to_otel(unsampled))
    try:
        handle = await system.start(release, "production")
    finally:
        otel_context.detach(token)
    await handle.result()
    sampled = await system.start(release, "production")
    await finished(receiver, PromotionResult.model_validate(await sampled.result()))

    assert receiver.of(unsampled.trace_id) == []
    assert len((await project(system.client, handle.id)).spans) == 7


async def test_http_protobuf_delivers_the_same(
    tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_receiver() as receiver:
        async with running_system(
            tmp_path,
            temporal_address,
            monkeypatch,
            endpoint=receiver.endpoint,
            protocol="http/protobuf",
        ) as system:
            await system.apply("environments:\n" + system.environment_yaml("staging"))
            release = await system.release("1.0.0")
            async with with_agents(system, "staging-t1", "staging-t2"):
                handle = await system.start(release, "staging")
                result = PromotionResult.model_validate(await handle.result())
            spans = await finished(receiver, result)
    assert deviations(spans) == []
