"""The official tracing interceptors of Temporal's SDKs, on the other side of ours.

The header's bytes are what those of TypeScript and Go put on the wire. From their sources:

- https://github.com/temporalio/sdk-typescript/blob/main/packages/interceptors-opentelemetry/src/instrumentation.ts
  `headersWithContext` injects the whole active context with the global propagator (W3C trace
  context, then W3C baggage, by default) into an object and gives that to the default payload
  converter, which is `JSON.stringify`: the keys are in the order in which they were set.
- https://github.com/temporalio/sdk-go/blob/master/contrib/opentelemetry/tracing_interceptor.go
  `MarshalSpan` injects a fresh context with nothing but the span into a `map[string]string`, so
  that baggage does not come along, and
  https://github.com/temporalio/sdk-go/blob/master/interceptor/tracing_interceptor.go
  `writeSpanToHeader` gives that to the default data converter, which is `encoding/json`: the keys
  are sorted, and `<`, `>` and `&` are escaped.

Both are a `temporal.api.common.v1.Payload` with the metadata `encoding: json/plain`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from temporalio import workflow
from temporalio.api.common.v1 import Header, Payload, Payloads, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.contrib.opentelemetry import TracingInterceptor as OfficialInterceptor
from temporalio.converter import PayloadConverter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.registry import agent_activities
from engine.converter import DATA_CONVERTER
from engine.model.promotion import PromotionResult, PromotionStatus
from engine.projection import project
from engine.telemetry import ids
from engine.telemetry.propagation import HEADER, attach_from_environment, from_headers
from engine.telemetry.record import SpanRecord
from tests.conformance.checker import deviations
from tests.harness.content import contents
from tests.harness.receiver import Received, Receiver
from tests.harness.system import System, running_system, trivy_report, until
from tests.telemetry.samples import BAGGAGE, CONTEXT, TRACEPARENT

JSON_PLAIN = b"\n\x16\n\x08encoding\x12\njson/plain"

TYPESCRIPT = (
    JSON_PLAIN + b"\x12\xc2\x01"
    b'{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",'
    b'"tracestate":"vendor=opaque,rojo=<1&2>",'
    b'"baggage":"build.number=17,branch=gr%C3%B6%C3%9Fe%2F%C3%BC%201,tenant.id=forged"}'
)
GO = (
    JSON_PLAIN + b"\x12\x80\x01"
    b'{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",'
    b'"tracestate":"vendor=opaque,rojo=\\u003c1\\u00262\\u003e"}'
)
GO_UNSAMPLED = (
    JSON_PLAIN + b'\x12I{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}'
)
STATE = "vendor=opaque,rojo=<1&2>"


@pytest.fixture
async def system(
    receiver: Receiver, tmp_path: Path, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    async with running_system(
        tmp_path, temporal_address, monkeypatch, endpoint=receiver.endpoint
    ) as running:
        await running.apply(
            "environments:\n"
            + running.environment_yaml("staging", targets=1)
            + running.environment_yaml("gated", targets=1, gates="[{type: security}]")
        )
        yield running


async def start_with(system: System, release: str, header: bytes) -> str:
    """Start a promotion as a bare client of Temporal's gRPC service, with exactly this header."""
    workflow_id = f"promotion/{uuid4()}"
    request = {
        "release": release,
        "environment": "gated",
        "tenant": system.tenant,
        "requested_by": "alice",
    }
    payload = PayloadConverter.default.to_payload(request)
    await system.client.workflow_service.start_workflow_execution(
        StartWorkflowExecutionRequest(
            namespace=system.client.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="promotion.request"),
            task_queue=TaskQueue(name="promotions"),
            input=Payloads(payloads=[payload]),
            header=Header(fields={HEADER: Payload.FromString(header)}),
            request_id=str(uuid4()),
        )
    )
    return workflow_id


async def denied(system: System, header: bytes) -> tuple[str, PromotionResult]:
    release = await system.release("1.0.0", trivy_report(critical=1))
    workflow_id = await start_with(system, release, header)
    handle = system.client.get_workflow_handle(workflow_id)
    result = PromotionResult.model_validate(await handle.result())
    assert result.status is PromotionStatus.DENIED
    return workflow_id, result


@pytest.mark.parametrize("header", [TYPESCRIPT, GO], ids=["TypeScript", "Go"])
async def test_their_header_is_continued(system: System, receiver: Receiver, header: bytes) -> None:
    workflow_id, result = await denied(system, header)
    assert result.trace_id == CONTEXT.trace_id

    def root_is_here() -> bool:
        return any(span.name == "promotion.request" for span in receiver.of(CONTEXT.trace_id))

    await until(root_is_here, "the root span was received")
    spans = receiver.of(CONTEXT.trace_id)
    assert deviations(spans, caller_span_id=CONTEXT.span_id) == []
    assert {span.trace_state for span in spans} == {STATE}
    assert "forged" not in {span.attributes["tenant.id"] for span in spans}
    told = await project(system.client, workflow_id)
    assert told.sampled
    assert contents(told.spans) == contents(spans)


async def test_their_decision_not_to_sample_is_followed(system: System, receiver: Receiver) -> None:
    workflow_id, result = await denied(system, GO_UNSAMPLED)
    told = await project(system.client, workflow_id)
    assert (told.sampled, result.trace_id) == (False, CONTEXT.trace_id)
    assert told.root is not None
    assert told.root.parent_span_id == CONTEXT.span_id
    assert receiver.of(CONTEXT.trace_id) == []


def test_their_baggage_is_read() -> None:
    found = from_headers({HEADER: Payload.FromString(TYPESCRIPT)})
    assert found is not None
    assert found.baggage == {**CONTEXT.baggage, "tenant.id": "forged"}
    without = from_headers({HEADER: Payload.FromString(GO)})
    assert without is not None
    assert (without.trace_state, without.baggage) == (STATE, {})


class Seen(SpanProcessor):
    """Keeps finished spans, and the baggage in force when each began."""

    def __init__(self) -> None:
        self.spans: dict[str, list[ReadableSpan]] = {}
        self.baggage: dict[str, dict[str, object]] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.baggage[span.name] = dict(otel_baggage.get_all(parent_context))

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.setdefault(span.name, []).append(span)

    def parent_of(self, name: str) -> tuple[str, str, bool, str]:
        """Trace id, span id, sampled flag and tracestate of the parent of the span `name`."""
        (span,) = self.spans[name]
        parent = span.parent
        assert parent is not None
        return (
            f"{parent.trace_id:032x}",
            f"{parent.span_id:016x}",
            parent.trace_flags.sampled,
            parent.trace_state.to_header(),
        )


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def official(seen: Seen) -> OfficialInterceptor:
    provider = TracerProvider()
    provider.add_span_processor(seen)
    return OfficialInterceptor(provider.get_tracer("official"))


def named(spans: tuple[SpanRecord, ...] | list[Received], name: str) -> Any:
    (found,) = (span for span in spans if span.name == name)
    return found


CALLER = {"TRACEPARENT": TRACEPARENT, "TRACESTATE": CONTEXT.trace_state, "BAGGAGE": BAGGAGE}


async def test_what_our_workflows_send_is_continued_by_an_agent_with_theirs(
    system: System, temporal_address: str, seen: Seen, official: OfficialInterceptor
) -> None:
    agent = f"{system.tenant}-staging-t1"
    client = await Client.connect(
        temporal_address, data_converter=DATA_CONVERTER, interceptors=[official]
    )
    release = await system.release("1.0.0")
    async with Worker(
        client,
        task_queue=f"agent.{agent}",
        activities=agent_activities(agent, system.settings.home / "agents" / agent),
    ):
        with attach_from_environment(CALLER):
            handle = await system.start(release, "staging")
        await handle.result()
    told = (await project(system.client, handle.id)).spans
    tenant = str(named(told, "promotion.request").attributes["tenant.id"])
    for task in ("pull", "deploy", "health_check"):
        name = f"agent.task.{task}"
        span = named(told, name)
        parent = (CONTEXT.trace_id, span.span_id, True, CONTEXT.trace_state)
        assert seen.parent_of(f"RunActivity:{name}") == parent
        carried = seen.baggage[f"RunActivity:{name}"]
        assert {**CONTEXT.baggage, "tenant.id": tenant}.items() <= carried.items()
        assert carried["environment.name"] == "staging"


@workflow.defn(name="theirs", sandboxed=False)
class Theirs:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(0.01)


async def test_what_our_client_sends_is_continued_by_a_workflow_with_theirs(
    system: System, temporal_address: str, seen: Seen, official: OfficialInterceptor
) -> None:
    client = await Client.connect(temporal_address, interceptors=[official])
    queue = f"theirs-{uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Theirs],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        with attach_from_environment(CALLER):
            await system.client.execute_workflow(
                "theirs", id=f"theirs/{uuid4()}", task_queue=queue,
                execution_timeout=timedelta(minutes=1),
            )  # fmt: skip
    parent = (CONTEXT.trace_id, CONTEXT.span_id, True, CONTEXT.trace_state)
    assert seen.parent_of("RunWorkflow:theirs") == parent


async def test_a_python_client_with_theirs_is_continued(
    system: System, temporal_address: str, seen: Seen, official: OfficialInterceptor
) -> None:
    client = await Client.connect(temporal_address, interceptors=[official])
    release = await system.release("1.0.0", trivy_report(critical=1))
    request = {
        "release": release,
        "environment": "gated",
        "tenant": system.tenant,
        "requested_by": "alice",
    }
    token = otel_context.attach(otel_baggage.set_baggage("build.number", "17"))
    try:
        handle = await client.start_workflow(
            "promotion.request", request, id=f"promotion/{uuid4()}", task_queue="promotions"
        )
    finally:
        otel_context.detach(token)
    await handle.result()
    (start,) = seen.spans["StartWorkflow:promotion.request"]
    assert start.context is not None
    told = await project(system.client, handle.id)
    assert told.root is not None
    assert told.root.kind == "SERVER"
    assert told.root.trace_id == f"{start.context.trace_id:032x}"
    assert told.root.parent_span_id == f"{start.context.span_id:016x}"
    promotion = handle.id.removeprefix("promotion/")
    assert told.root.span_id == ids.span_id(told.root.trace_id, "promotion.request", promotion)
