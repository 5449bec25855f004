"""Steps of every type in one real promotion: their work, their spans, and the same in a replay."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from engine.model import identity
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import histories, project
from tests.conformance.checker import deviations
from tests.harness.answering import Answer, Answering, Asked, answering
from tests.harness.content import contents
from tests.harness.receiver import Received, Receiver
from tests.harness.system import System, running_system, until, with_agents
from tests.replay.test_histories import replayer

HALTING = {"name": "halting", "nodes": [{"id": "deploy", "type": "deploy", "halt": "10m"}]}
BACK = {"type": "command", "inputs": {"command": ["true"]}}


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as running:
        running.answers["/orders"] = Answer(201, {"id": "o-1"})
        running.answers["/hook"] = Answer(204)
        tries = iter([503, 200])
        running.answers["/flaky"] = lambda asked: Answer(next(tries), {"state": "ready"})
        running.answers["/gone"] = Answer(404)
        yield running


def nodes(url: str) -> list[dict[str, object]]:
    """A template with a condition that does not hold, attempts, and work that is taken back."""
    return [
        {
            "id": "order",
            "type": "http",
            "inputs": {
                "method": "POST",
                "url": f"{url}/orders",
                "headers": {"Authorization": {"secret": "env:ORDER_TOKEN"}},
                "body": {"release": "${{ release.ref }}"},
            },
            "on_rollback": {
                "type": "http",
                "inputs": {"method": "DELETE", "url": f"{url}/orders", "status": [201]},
            },
        },
        {
            "id": "never",
            "type": "command",
            "needs": ["order"],
            "when": "nodes.order.outputs.body.id != 'o-1'",
            "inputs": {"command": ["false"]},
        },
        {"id": "checked", "type": "security-check", "inputs": {"require_report": True}},
        {
            "id": "deploy",
            "type": "deploy",
            "needs": ["never", "checked"],
            "inputs": {"strategy": {"type": "all_at_once"}},
            "on_rollback": BACK,
        },
        {
            "id": "works",
            "type": "verify",
            "needs": ["deploy"],
            "retry": {"attempts": 2, "interval": "100ms"},
            "inputs": {
                "checks": [
                    {
                        "name": "health",
                        "http": {"url": f"{url}/flaky", "holds": "body.state == 'ready'"},
                    },
                    {"name": "smoke", "command": {"command": ["true"]}},
                ]
            },
        },
        {
            "id": "tell",
            "type": "notify",
            "needs": ["works"],
            "on_failure": "continue",
            "inputs": {"webhook": {"url": f"{url}/hook"}, "text": "${{ promotion.requested_by }}"},
        },
        {"id": "soak", "type": "wait", "needs": ["tell"], "inputs": {"duration": "100ms"}},
        {
            "id": "last",
            "type": "http",
            "needs": ["soak"],
            "on_failure": "rollback",
            "inputs": {"url": f"{url}/gone"},
        },
    ]


@pytest.fixture
async def system(
    receiver: Receiver,
    server: Answering,
    tmp_path: Path,
    temporal_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[System]:
    monkeypatch.setenv("ORDER_TOKEN", "t0p-s3cret")
    async with running_system(
        tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as running:
        template = json.dumps({"name": "all", "nodes": nodes(server.url)})
        await running.apply(
            "environments:\n"
            + running.environment_yaml(
                "production", targets=1, more=f"    sampling: 1.0\n    template: {template}\n"
            )
            + running.environment_yaml(
                "staging", targets=1, more=f"    template: {json.dumps(HALTING)}\n"
            )
        )
        yield running


def named(spans: list[Received], name: str, node_id: str) -> list[Received]:
    return sorted(
        (
            span
            for span in spans
            if span.name == name and span.attributes.get("step.node_id") == node_id
        ),
        key=lambda span: span.start,
    )


async def test_steps_of_every_type_conform_and_are_told_alike_by_the_histories(
    system: System, receiver: Receiver, server: Answering
) -> None:
    release = await system.release("1.0.0")
    async with with_agents(system, "production-t1"):
        handle = await system.start(release, "production")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    result = PromotionResult.model_validate(failed.value.cause.details[0])
    assert result.status is PromotionStatus.FAILED
    assert result.failure is not None
    assert result.failure.message == (
        f"step last: GET {server.url}/gone answered 404, not 2xx; taken back: deploy, order"
    )
    await until(lambda: _has_root(receiver, result), "the root span was received")
    spans = receiver.of(result.trace_id)
    assert deviations(spans) == []
    assert contents((await project(system.client, handle.id)).spans) == contents(spans)

    types = {span.name.removeprefix("workflow.step.") for span in spans if "step" in span.name}
    assert types == {
        "command", "deploy", "http", "notify", "security-check", "verify", "wait",
    }  # fmt: skip
    assert not any(span.attributes.get("step.node_id") == "never" for span in spans)

    # An attempt that failed is a span of its own, to which the next is linked.
    first, whole = sorted(
        named(spans, "workflow.step.verify", "works"), key=lambda span: len(span.links)
    )
    assert (first.attributes["step.attempt"], whole.attributes["step.attempt"]) == (1, 2)
    assert first.attributes["error"] is True
    assert whole.attributes["error"] is False
    assert [link[1] for link in whole.links] == [first.span_id]
    waited = whole.attributes["step.wait_seconds"]
    assert isinstance(waited, float)
    assert waited >= 0.1

    # What takes work back is a step of its own, after what failed.
    (undone,) = named(spans, "workflow.step.command", "deploy")
    order, unordered = named(spans, "workflow.step.http", "order")
    assert undone.attributes["step.compensates"] == "deploy"
    assert unordered.attributes["step.compensates"] == "order"
    (last,) = named(spans, "workflow.step.http", "last")
    assert last.end <= undone.start <= undone.end <= unordered.start

    # Inputs are shown as the expressions left them, and no secret is anywhere.
    inputs = json.loads(str(order.attributes["step.inputs"]))
    assert inputs["body"] == {"release": release}
    assert "t0p-s3cret" not in json.dumps([span.attributes for span in spans])
    asked = {(each.method, each.path): each for each in server.asked}
    assert asked["POST", "/orders"].headers["authorization"] == "t0p-s3cret"
    _knows_its_step(asked["POST", "/orders"], order)
    _knows_its_step(asked["POST", "/hook"], named(spans, "workflow.step.notify", "tell")[0])
    assert asked["POST", "/hook"].json()["text"] == "alice"
    parts = [history async for history in histories(system.client, handle.id)]
    for history in parts:
        assert not any(b"t0p-s3cret" in event.SerializeToString() for event in history.events)
        await replayer().replay_workflow(history)


async def test_a_deployment_that_is_tried_again_is_another_one(
    system: System, receiver: Receiver, tmp_path: Path
) -> None:
    release = await system.release("1.0.0")
    archive, away = tmp_path / "web-1.0.0" / "web.tar.gz", tmp_path / "away"
    archive.rename(away)
    async with with_agents(system, "staging-t1"):
        handle = await system.start(release, "staging")
        await system.until_status(handle.id, PromotionStatus.HALTED)
        away.rename(archive)
        await system.promotions.retry(handle.id, "bob", "deploy")
        result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.SUCCEEDED
    assert system.running_version("staging", "t1") == "version 1.0.0\n"
    await until(lambda: _has_root(receiver, result), "the root span was received")
    spans = receiver.of(result.trace_id)
    assert deviations(spans) == []
    assert contents((await project(system.client, handle.id)).spans) == contents(spans)
    jobs = sorted(
        (span for span in spans if span.name == "deployment.execute"), key=lambda span: span.start
    )
    assert [job.attributes["error"] for job in jobs] == [True, False]
    assert [job.attributes["deployment.job_id"] for job in jobs] == [
        str(identity.job_id(result.promotion_id, "deploy")),
        str(identity.job_id(result.promotion_id, "deploy", 2)),
    ]
    (evidence,) = await system.store.evidence.all(result.promotion_id)
    predicate = json.loads(evidence.statement)["predicate"]
    assert [step["attempt"] for step in predicate["steps"]] == [2]
    assert [each["status"] for each in predicate["deployments"]] == ["failed", "succeeded"]


def _has_root(receiver: Receiver, result: PromotionResult) -> bool:
    return any(span.name == "promotion.request" for span in receiver.of(result.trace_id))


def _knows_its_step(asked: Asked, step: Received) -> None:
    """What is called is told the step as its parent, and by which key to know it again."""
    assert asked.headers["traceparent"] == f"00-{step.trace_id}-{step.span_id}-01"
    assert asked.headers["idempotency-key"] == step.attributes["step.run_id"]
