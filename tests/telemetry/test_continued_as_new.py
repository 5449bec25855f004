"""A traced workflow that continues as new: one trace, a span for each run, each linked to the last.

None of the engine's own traced workflows does so, hence one of this test's under such a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import PayloadConverter
from temporalio.worker import Replayer, Worker

from engine.config import Settings
from engine.converter import DATA_CONVERTER
from engine.model.deployment import DeploymentRequest
from engine.model.strategy import AllAtOnce
from engine.projection import histories
from engine.telemetry import ids
from engine.telemetry.continuation import CONTINUATION, Continuation, continuation, hand_on
from engine.telemetry.interceptor import TracingInterceptor
from engine.telemetry.propagation import HEADER, attach_from_environment, from_headers
from engine.telemetry.record import SpanRecord
from engine.telemetry.sink import CollectingSink
from engine.temporal import connect
from tests.evidence.samples import snapshot
from tests.telemetry.samples import BAGGAGE, CONTEXT, TRACEPARENT
from workflows.registry import workflow_runner

CALLER = {"TRACEPARENT": TRACEPARENT, "TRACESTATE": CONTEXT.trace_state, "BAGGAGE": BAGGAGE}
RUNS = 3


@workflow.defn(name="deployment.execute", sandboxed=False)
class Continuing:
    @workflow.run
    async def run(self, request: DeploymentRequest) -> str:
        await workflow.sleep(0.01)
        number = int(request.node_id)
        if number < RUNS:
            workflow.continue_as_new(request.model_copy(update={"node_id": str(number + 1)}))
        return request.node_id


def request() -> DeploymentRequest:
    return DeploymentRequest(promotion=snapshot(), node_id="1", strategy=AllAtOnce())


async def read_back(histories_: list[WorkflowHistory]) -> list[SpanRecord]:
    sink = CollectingSink()
    replayer = Replayer(
        workflows=[Continuing],
        data_converter=DATA_CONVERTER,
        interceptors=[TracingInterceptor(sink, replayed=True)],
        workflow_runner=workflow_runner(),
    )
    for history in histories_:
        await replayer.replay_workflow(history)
    return sink.spans


async def carried_out(client: Client, queue: str, environ: Mapping[str, str]) -> str:
    async with Worker(
        client, task_queue=queue, workflows=[Continuing], workflow_runner=workflow_runner()
    ):
        with attach_from_environment(environ):
            handle = await client.start_workflow(
                "deployment.execute", request(), id=f"continuing/{uuid4()}", task_queue=queue
            )
        assert await handle.result() == str(RUNS)
    return handle.id


@pytest.mark.parametrize("environ", [CALLER, {}], ids=["from a caller", "by itself"])
async def test_each_run_is_a_span_that_is_linked_to_the_run_before(
    temporal_address: str, environ: dict[str, str]
) -> None:
    client = await connect(Settings(), address=temporal_address)
    workflow_id = await carried_out(client, f"continuing-{uuid4()}", environ)
    first_run = await first_run_of(client, workflow_id)
    told = [one async for one in histories(client, workflow_id, first_run)]
    spans = await read_back(told)

    assert len(told) == len(spans) == RUNS
    trace = CONTEXT.trace_id if environ else ids.trace_id(snapshot().promotion_id)
    assert {span.trace_id for span in spans} == {trace}
    assert {span.parent_span_id for span in spans} == {CONTEXT.span_id if environ else None}
    assert {span.trace_state for span in spans} == {CONTEXT.trace_state if environ else ""}
    assert len({span.span_id for span in spans}) == RUNS
    assert [len(span.links) for span in spans] == [0, 1, 1]
    for before, span in pairwise(spans):
        (link,) = span.links
        assert (link.trace_id, link.span_id) == (trace, before.span_id)
        assert link.attributes == {"promotion.link": "continued_run"}
        assert before.ended_at is not None
        assert before.ended_at <= span.started_at
    headers = told[-1].events[0].workflow_execution_started_event_attributes.header.fields
    caller = from_headers(headers)
    assert caller == (CONTEXT if environ else None)


async def first_run_of(client: Client, workflow_id: str) -> str:
    described = await client.get_workflow_handle(workflow_id).describe()
    return described.raw_description.workflow_execution_info.first_run_id


def test_what_is_handed_on_is_read_again() -> None:
    run = Continuation(number=7, span_id="ab" * 8)
    headers = hand_on({"other": Payload(data=b"x"), HEADER: Payload(data=b"old")}, None, run)
    assert headers.keys() == {"other", CONTINUATION}
    assert continuation(headers) == run
    assert from_headers(hand_on({}, CONTEXT, run)) == CONTEXT


@pytest.mark.parametrize(
    "payload",
    [
        PayloadConverter.default.to_payload(None),
        PayloadConverter.default.to_payload({"number": 1, "span_id": "ab" * 8}),
        PayloadConverter.default.to_payload({"number": 2, "span_id": "AB" * 8}),
        PayloadConverter.default.to_payload({"number": 2}),
        PayloadConverter.default.to_payload([2, "ab" * 8]),
        Payload(metadata={"encoding": b"json/plain"}, data=b"{"),
        Payload(metadata={"encoding": b"json/plain"}, data=b"\xff"),
        Payload(metadata={"encoding": b"json/plain"}, data=b"[" * 100_000),
        Payload(metadata={"encoding": b"json/protobuf", "messageType": b"no.such"}, data=b"{}"),
        Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00"),
        Payload(),
    ],
)
def test_a_bad_header_is_a_first_run(payload: Payload) -> None:
    assert continuation({CONTINUATION: payload}) is None
