"""Links between promotions, received over OTLP and read out of the histories."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from engine.projection import project
from engine.telemetry import ids
from engine.telemetry.otlp_json import otlp_json
from engine.telemetry.propagation import attach_from_environment
from tests.conformance.checker import deviations
from tests.harness.content import contents
from tests.harness.receiver import Received, Receiver
from tests.harness.system import System, running_system, with_agents
from tests.telemetry.samples import CONTEXT, TRACEPARENT

ORDERED = (("dev", 0), ("staging", 1), ("live", 2))


@pytest.fixture
async def system(
    receiver: Receiver, tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(
        tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as running:
        await running.apply(
            "environments:\n"
            + "".join(
                running.environment_yaml(
                    name, targets=1, gates="[{type: security}]", more=f"    order: {order}\n"
                )
                for name, order in ORDERED
            )
        )
        async with with_agents(running, *(f"{name}-t1" for name, _ in ORDERED)):
            yield running


async def promoted(system: System, release: str, environment: str) -> WorkflowHandle[Any, Any]:
    handle = await system.start(release, environment)
    await handle.result()
    return handle


async def root_of(
    system: System, receiver: Receiver, handle: WorkflowHandle[Any, Any], caller: str = ""
) -> Received:
    """The root of a whole trace, which is the one that the histories tell."""
    await system.until_settled(handle.id)
    told = (await project(system.client, handle.id)).spans
    known = {span.span_id for span in told}
    spans = [span for span in receiver.of(told[0].trace_id) if span.span_id in known]
    assert contents(spans) == contents(told)
    assert deviations(spans, caller_span_id=caller) == []
    (root,) = (span for span in spans if span.name == "promotion.request")
    return root


def link_to(root: Received, relation: str, environment: str) -> tuple[str, str, dict[str, Any]]:
    return (
        root.trace_id,
        root.span_id,
        {
            "promotion.link": relation,
            "promotion.id": root.attributes["promotion.id"],
            "release.id": root.attributes["release.id"],
            "environment.name": environment,
        },
    )


async def test_a_promotion_is_linked_to_that_of_the_environment_before(
    system: System, receiver: Receiver
) -> None:
    release = await system.release("1.0.0")
    first = await root_of(system, receiver, await promoted(system, release, "dev"))
    second = await root_of(system, receiver, await promoted(system, release, "staging"))
    handle = await promoted(system, release, "live")
    third = await root_of(system, receiver, handle)
    assert first.links == []
    assert second.links == [link_to(first, "previous_environment", "dev")]
    assert third.links == [link_to(second, "previous_environment", "staging")]

    request = otlp_json((await project(system.client, handle.id)).spans)
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    (link,) = next(span for span in spans if span["name"] == "promotion.request")["links"]
    assert (link["traceId"], link["spanId"]) == (second.trace_id, second.span_id)
    json.dumps(request)


async def test_a_promotion_is_linked_to_the_one_that_it_takes_back(
    system: System, receiver: Receiver
) -> None:
    old, new = await system.release("1.0.0"), await system.release("2.0.0")
    await promoted(system, old, "dev")
    newer = await root_of(system, receiver, await promoted(system, new, "dev"))
    back = await root_of(system, receiver, await promoted(system, old, "dev"))
    assert newer.links == []
    assert back.links == [link_to(newer, "rolled_back", "dev")]


async def test_promotions_of_one_callers_trace_are_linked_and_share_no_span(
    system: System, receiver: Receiver
) -> None:
    release = await system.release("1.0.0")
    with attach_from_environment({"TRACEPARENT": TRACEPARENT}):
        one = await promoted(system, release, "dev")
        two = await promoted(system, release, "staging")
    first = await root_of(system, receiver, one, CONTEXT.span_id)
    second = await root_of(system, receiver, two, CONTEXT.span_id)
    assert first.trace_id == second.trace_id == CONTEXT.trace_id
    assert second.links == [link_to(first, "previous_environment", "dev")]
    promotion = one.id.removeprefix("promotion/")
    assert first.span_id == ids.span_id(CONTEXT.trace_id, "promotion.request", promotion)
    told = [
        {span.span_id for span in (await project(system.client, handle.id)).spans}
        for handle in (one, two)
    ]
    assert not told[0] & told[1]
