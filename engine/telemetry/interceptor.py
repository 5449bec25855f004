"""The Temporal interceptor: every workflow and activity becomes the specification's span.

All spans are made on the workflow's side, out of what its history holds, also those of agent tasks
(whose times the agent reports). An activity that runs twice therefore is one span, and an agent
needs no way to a collector. Processes that carry out activities get the span's context as the
current one, so that their logs and outgoing calls belong to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

from opentelemetry import context as otel_context
from temporalio import client as temporal_client
from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception
from temporalio.worker import (
    ActivityInboundInterceptor,
    ContinueAsNewInput,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from engine.telemetry import ids, mapping, names
from engine.telemetry.attempts import add_attempts
from engine.telemetry.continuation import Continuation, continuation, hand_on
from engine.telemetry.failures import detail_of, failure_of
from engine.telemetry.plugin_calls import add_calls, calls_of
from engine.telemetry.propagation import from_headers, from_otel, to_otel, with_header
from engine.telemetry.record import SpanKind
from engine.telemetry.scope import OpenSpan, WorkflowScope, is_evicting
from engine.telemetry.sink import SpanSink
from engine.telemetry.spans import current_scope

_Input = TypeVar("_Input", StartActivityInput, StartLocalActivityInput)
_Started = TypeVar("_Started", StartActivityInput, StartLocalActivityInput, StartChildWorkflowInput)


class TracingInterceptor(temporal_client.Interceptor, Interceptor):
    """Traces promotions. Given to the client, it hands the caller's trace context on.

    Args:
        sink: takes finished spans; None when nothing is exported.
        replayed: emit spans of replayed work too, sampled or not; for reading a trace out of a
            history.
    """

    def __init__(self, sink: SpanSink | None = None, *, replayed: bool = False) -> None:
        self._sink = sink
        self._replayed = replayed
        self.scopes: list[WorkflowScope] = []
        """The scopes of the workflows seen; kept only with `replayed`."""

    def intercept_client(
        self, next: temporal_client.OutboundInterceptor
    ) -> temporal_client.OutboundInterceptor:
        """See `temporalio.client.Interceptor`."""
        return _ClientOutbound(next)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `temporalio.worker.Interceptor`."""
        return _ActivityInbound(next)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        """See `temporalio.worker.Interceptor`."""
        tracing = self

        class Inbound(_WorkflowInbound):
            def __init__(self, next: WorkflowInboundInterceptor) -> None:
                super().__init__(next, tracing.new_scope())

        return Inbound

    def new_scope(self) -> WorkflowScope:
        """A scope for one more workflow run."""
        scope = WorkflowScope(self._sink, replayed=self._replayed)
        if self._replayed:
            self.scopes.append(scope)
        return scope


class _ClientOutbound(temporal_client.OutboundInterceptor):
    async def start_workflow(
        self, input: temporal_client.StartWorkflowInput
    ) -> temporal_client.WorkflowHandle[Any, Any]:
        current = from_otel(otel_context.get_current())
        if current is not None:
            input.headers = with_header(input.headers, current)
        return await super().start_workflow(input)

    async def start_update_with_start_workflow(
        self, input: temporal_client.StartWorkflowUpdateWithStartInput
    ) -> temporal_client.WorkflowUpdateHandle[Any]:
        current = from_otel(otel_context.get_current())
        if current is not None:
            start = input.start_workflow_input
            start.headers = with_header(start.headers, current)
        return await super().start_update_with_start_workflow(input)


class _ActivityInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        given = from_headers(input.headers)
        if given is None:
            return await super().execute_activity(input)
        token = otel_context.attach(to_otel(given))
        try:
            return await super().execute_activity(input)
        finally:
            otel_context.detach(token)


class _WorkflowInbound(WorkflowInboundInterceptor):
    def __init__(self, next: WorkflowInboundInterceptor, scope: WorkflowScope) -> None:
        super().__init__(next)
        self._scope = scope

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_WorkflowOutbound(outbound, self._scope))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        current_scope.set(self._scope)
        info = workflow.info()
        start = mapping.workflow_start(
            info.workflow_type, info.workflow_id, info.first_execution_run_id, input.args
        )
        if start is None:
            return await super().execute_workflow(input)
        caller = from_headers(input.headers)
        run = continuation(input.headers)
        is_root = info.workflow_type == names.PROMOTION_REQUEST
        root = self._scope.begin(
            info.workflow_type,
            start.identity if run is None else f"{start.identity}/run/{run.number}",
            ids.trace_id(start.promotion_id) if caller is None else caller.trace_id,
            caller,
            SpanKind.SERVER if is_root and caller is not None else SpanKind.INTERNAL,
        )
        root.set(start.attributes)
        if run is not None:
            self._scope.run = run.number
            self._scope.link(root, names.CONTINUED_RUN, run.span_id)
        self._scope.promotion_id = str(start.promotion_id)
        if start.promotion is not None:
            self._scope.bind(start.promotion, sampled=self._scope.sampled)
        try:
            return await super().execute_workflow(input)
        except Exception as error:
            if root.failure is None and not is_cancelled_exception(error):
                root.fail(failure_of(error))
            raise
        finally:
            if not is_evicting(self._scope.instance):
                self._scope.close(root)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        current_scope.set(self._scope)
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        current_scope.set(self._scope)
        return await super().handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        current_scope.set(self._scope)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        current_scope.set(self._scope)
        return await super().handle_update_handler(input)


class _WorkflowOutbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, scope: WorkflowScope) -> None:
        super().__init__(next)
        self._scope = scope

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        return self._start(input, super().start_activity)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        return self._start(input, super().start_local_activity)

    async def start_child_workflow(
        self, input: StartChildWorkflowInput
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        if input.workflow in names.TRACED_WORKFLOWS:
            self._scope.child_started(input.id)
        return await super().start_child_workflow(self._with_context(input))

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        scope = self._scope
        if scope.root is not None:
            following = Continuation(number=scope.run + 1, span_id=scope.root.span_id)
            input.headers = hand_on(input.headers, scope.caller, following)
        super().continue_as_new(input)

    def _with_context(self, input: _Started, span: OpenSpan | None = None) -> _Started:
        self._scope.emit_recorded()
        context = self._scope.context(span)
        if context is not None:
            input.headers = with_header(input.headers, context)
        return input

    def _start(
        self, input: _Input, start: Callable[[_Input], workflow.ActivityHandle[Any]]
    ) -> workflow.ActivityHandle[Any]:
        rule = mapping.activity_rule(input.activity)
        if rule is None:
            return self._below(self._scope.current, start(self._with_context(input)))
        about = rule.start(input.args[0])
        span = self._scope.open(input.activity, about.identity)
        span.set(about.attributes)
        if input.activity_id is not None:
            span.set({names.TEMPORAL_ACTIVITY_ID: input.activity_id})
        handle = start(self._with_context(input, span))

        def ended(task: asyncio.Task[Any]) -> None:
            self._ended(rule, about, span, task)

        handle.add_done_callback(cast("Callable[[Any], None]", ended))
        return handle

    def _below(
        self, work: OpenSpan | None, handle: workflow.ActivityHandle[Any]
    ) -> workflow.ActivityHandle[Any]:
        """Make the plugin calls of an activity without a span spans below that of `work`."""

        def ended(task: asyncio.Task[Any]) -> None:
            if work is not None and not is_evicting(self._scope.instance) and not task.cancelled():
                outcome = task.exception() or task.result()
                add_calls(self._scope, work, calls_of(outcome), workflow.now())

        handle.add_done_callback(cast("Callable[[Any], None]", ended))
        return handle

    def _ended(
        self,
        rule: mapping.ActivityRule[Any, Any],
        about: mapping.ActivityStart,
        span: OpenSpan,
        task: asyncio.Task[Any],
    ) -> None:
        if is_evicting(self._scope.instance):
            return
        at = None
        error = None if task.cancelled() else task.exception()
        told = task.result() if error is None and not task.cancelled() else detail_of(error)
        add_attempts(self._scope, span, about.identity, rule.attempts(told), workflow.now())
        if not task.cancelled():
            add_calls(self._scope, span, calls_of(error or task.result()), workflow.now())
        if task.cancelled() or (error is not None and is_cancelled_exception(error)):
            span.set({names.TASK_STATUS: "cancelled"})
        elif error is not None:
            span.fail(failure_of(error))
            span.set(rule.failed(told))
        else:
            end = rule.end(told, span.started_at)
            span.set(end.attributes)
            span.events.extend(end.events)
            at = None if end.at is None else min(end.at, workflow.now())
        self._scope.close(span, at=at)
