"""A promotion's trace, read back out of Temporal's own event histories.

The histories are replayed by the very workflow code that made them, with the tracing interceptor
told to emit what it would have emitted live. So a trace can be seen with no collector at all, while
the promotion is in flight and after it has ended in whatever way, with the same ids, times and
attributes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from engine.converter import DATA_CONVERTER
from engine.errors import NotFoundError, PromotionEngineError, UnreachableError
from engine.telemetry import names
from engine.telemetry.closing import close_of, cut_off
from engine.telemetry.interceptor import TracingInterceptor
from engine.telemetry.sink import CollectingSink
from engine.telemetry.trace import Trace
from workflows.registry import WORKFLOW_INTERCEPTORS, WORKFLOWS


async def project(client: Client, workflow_id: str, run_id: str | None = None) -> Trace:
    """The trace of a promotion and of its children.

    Args:
        workflow_id: of the `promotion.request` workflow.
        run_id: which run of it, where the id was used again; the latest by default.

    Raises:
        NotFoundError: there is no such workflow.
        UnreachableError: the server does not answer.
        PromotionEngineError: the history was not made by this code's workflows.
    """
    return await trace_of([one async for one in histories(client, workflow_id, run_id)])


async def trace_of(parts: Sequence[WorkflowHistory]) -> Trace:
    """The trace that a promotion's histories tell, its own being the first; see `histories`.

    Raises:
        PromotionEngineError: a history was not made by this code's workflows.
    """
    told = [await project_history(part) for part in parts]
    spans = sorted(
        (span for part in told for span in part.spans),
        key=lambda span: (span.started_at, span.parent_span_id is not None),
    )
    return Trace(tuple(spans), any(part.sampled for part in told), told[0].keep)


async def project_history(history: WorkflowHistory) -> Trace:
    """The part of a trace that one workflow's history tells.

    Raises:
        PromotionEngineError: the history was not made by this code's workflows.
    """
    sink = CollectingSink()
    tracing = TracingInterceptor(sink, replayed=True)
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=DATA_CONVERTER,
        interceptors=[tracing, *WORKFLOW_INTERCEPTORS],
        # The sandbox guards new runs against their code; these have been run by it before.
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    replayed = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if replayed.replay_failure is not None:
        raise PromotionEngineError(
            f"the history of workflow {history.workflow_id!r} cannot be replayed by this version: "
            f"{replayed.replay_failure}"
        )
    still_open = [span for scope in tracing.scopes for span in scope.open_records()]
    close = close_of(history)
    if close is not None:
        still_open = [cut_off(span, close) for span in still_open]
    return Trace(
        (*sink.spans, *still_open),
        any(scope.sampled for scope in tracing.scopes),
        tuple(status for scope in tracing.scopes for status in scope.keep),
    )


async def histories(
    client: Client, workflow_id: str, run_id: str | None = None
) -> AsyncIterator[WorkflowHistory]:
    """The history of a workflow, followed by those of its children that have spans, and of theirs.

    Where it continued as new, its next run follows with its own.

    Raises:
        NotFoundError: there is no such workflow.
        UnreachableError: the server does not answer.
    """
    try:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFoundError(
                "promotion", f"there is no workflow {workflow_id!r}", "see: promote list"
            ) from error
        raise UnreachableError(f"the Temporal server does not answer: {error}") from error
    yield history
    for event in history.events:
        if event.HasField("child_workflow_execution_started_event_attributes"):
            started = event.child_workflow_execution_started_event_attributes
            # A settlement has no spans, and it asks for the trace while it runs itself.
            if started.workflow_type.name in names.TRACED_WORKFLOWS:
                child = started.workflow_execution
                async for descendant in histories(client, child.workflow_id, child.run_id):
                    yield descendant
    last = history.events[-1].workflow_execution_continued_as_new_event_attributes
    if last.new_execution_run_id:
        async for following in histories(client, workflow_id, last.new_execution_run_id):
            yield following
