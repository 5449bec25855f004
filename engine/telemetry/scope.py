"""The spans of one workflow run: opened and closed by workflow time, emitted when not replaying.

Every time and attribute of a span is a function of the workflow's history. That is what gives a
span the same id and content live, after a crash, and when it is rebuilt from the history.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from uuid import UUID

from temporalio import workflow

from engine.model.failure import Failure
from engine.model.promotion import PromotionSnapshot, PromotionStatus
from engine.model.trace import TracedRun
from engine.model.verdict import AttributeValue
from engine.telemetry import ids, names
from engine.telemetry.ended import EndedRun
from engine.telemetry.links import within_trace
from engine.telemetry.propagation import TraceContext
from engine.telemetry.record import SpanEvent, SpanKind, SpanLink, SpanRecord
from engine.telemetry.sink import SpanSink


class OpenSpan:
    """A span whose work goes on."""

    def __init__(
        self,
        name: str,
        span_id: str,
        parent_span_id: str | None,
        started_at: datetime,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        self.name = name
        self.span_id = span_id
        self.parent_span_id = parent_span_id
        self.started_at = started_at
        self.kind = kind
        self.attributes: dict[str, AttributeValue] = {}
        self.events: list[SpanEvent] = []
        self.links: list[SpanLink] = []
        self.failure: Failure | None = None

    def set(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Add attributes; later values win."""
        self.attributes.update(attributes)

    def fail(self, failure: Failure) -> None:
        """Say that the operation failed."""
        self.failure = failure


_current_span: ContextVar[OpenSpan | None] = ContextVar("promotion_engine_span", default=None)


class WorkflowScope:
    """The spans of one workflow run.

    Args:
        sink: takes finished spans; None turns emitting off, ids and headers stay.
        replayed: emit while replaying too; for reading a trace back out of a history.
    """

    def __init__(self, sink: SpanSink | None, *, replayed: bool = False) -> None:
        self._sink = sink
        self._replayed = replayed
        self._open: dict[str, OpenSpan] = {}
        self._common: dict[str, AttributeValue] = {}
        self._temporal: dict[str, AttributeValue] = {}
        self._trace_state = ""
        self._baggage: dict[str, str] = {}
        self._unrecorded: list[SpanRecord] = []
        self._span_ids: list[str] = []
        self._children: list[str] = []
        self._history_length = 0
        self.trace_id = ""
        self.promotion_id = ""
        self.sampled = False
        self.keep: tuple[PromotionStatus, ...] = ()
        self.root: OpenSpan | None = None
        self.caller: TraceContext | None = None
        self.run = 1

    def begin(
        self, name: str, identity: str, trace_id: str, parent: TraceContext | None, kind: SpanKind
    ) -> OpenSpan:
        """Open the workflow's own span, at the time at which the workflow was started."""
        info = workflow.info()
        self.instance = instance()
        self._temporal = {
            names.TEMPORAL_WORKFLOW_ID: info.workflow_id,
            # Not that of a reset, so that what ended before it stays the span that it was.
            names.TEMPORAL_RUN_ID: info.original_execution_run_id,
        }
        self.trace_id = trace_id
        self.caller = parent
        if parent is not None:
            self._trace_state = parent.trace_state
            self._baggage = dict(parent.baggage)
            self.sampled = parent.sampled
        self.root = OpenSpan(
            name,
            ids.span_id(trace_id, name, identity),
            None if parent is None else parent.span_id,
            info.workflow_start_time,
            kind,
        )
        self._open[self.root.span_id] = self.root
        return self.root

    def bind(self, promotion: PromotionSnapshot, *, sampled: bool) -> None:
        """Tell what the spans are about, and whether they are sampled."""
        self.sampled = sampled
        self.keep = promotion.environment.keep_traces
        self._common = {
            names.TENANT_ID: str(promotion.tenant_id),
            names.USER_ID: str(promotion.user_id),
            names.RELEASE_ID: str(promotion.release.id),
            names.ENVIRONMENT_NAME: promotion.environment.name,
        }
        if self.root is not None and self.root.name == names.PROMOTION_REQUEST:
            gates = tuple(gate.name for gate in promotion.environment.gates)
            self.root.set(
                {names.PROMOTION_ID: str(promotion.promotion_id), names.PROMOTION_GATES: gates}
            )
        # What the engine knows wins over what a caller's baggage claims.
        self._baggage.update({key: str(self._common[key]) for key in names.BAGGAGE_KEYS})

    @property
    def is_projection(self) -> bool:
        """Whether a trace is only being read back out of a history."""
        return self._replayed

    def known(self) -> dict[str, AttributeValue]:
        """What is known of the promotion by now, by attribute name."""
        found = {names.PROMOTION_ID: self.promotion_id} if self.promotion_id else {}
        return {**found, **self._common}

    @property
    def bound(self) -> bool:
        """Whether `bind` was called: a request that was refused never became a promotion."""
        return bool(self._common)

    def open(self, name: str, identity: str) -> OpenSpan:
        """Open a span below the current one."""
        self.emit_recorded()
        parent = _current_span.get() or self.root
        span = OpenSpan(
            name,
            ids.span_id(self.trace_id, name, identity),
            None if parent is None else parent.span_id,
            workflow.now(),
        )
        # Code that runs on while the workflow is dropped from the cache begins no work.
        if not is_evicting(self.instance):
            self._open[span.span_id] = span
        return span

    def beside(self, span: OpenSpan, identity: str, started_at: datetime) -> OpenSpan:
        """Open a span of the same name, parent and attributes that began at another time."""
        sibling = OpenSpan(
            span.name,
            ids.span_id(self.trace_id, span.name, identity),
            span.parent_span_id,
            started_at,
            span.kind,
        )
        sibling.set(span.attributes)
        self._open[sibling.span_id] = sibling
        return sibling

    def below(
        self, parent: OpenSpan, name: str, identity: str, started_at: datetime, kind: SpanKind
    ) -> OpenSpan:
        """Open a span below another one that began at a time of its own."""
        span = OpenSpan(
            name,
            ids.span_id(self.trace_id, name, identity),
            parent.span_id,
            started_at,
            kind,
        )
        self._open[span.span_id] = span
        return span

    @property
    def current(self) -> OpenSpan | None:
        """The span of the work at hand; None in a workflow that has no spans."""
        return _current_span.get() or self.root

    def link(self, span: OpenSpan, relation: str, to_span_id: str) -> None:
        """Link a span to another one of this trace."""
        span.links.append(within_trace(relation, self.trace_id, self._trace_state, to_span_id))

    def close(self, span: OpenSpan, *, at: datetime | None = None) -> None:
        """Close a span, and emit it unless its end was emitted before this replay."""
        del self._open[span.span_id]
        if self._sink is None or not self.bound:
            return
        record = self.record(span, at or workflow.now())
        self._span_ids.append(span.span_id)
        if self._replayed:
            self._sink.emit(record)
        elif self.sampled and not workflow.unsafe.is_replaying():
            self.emit_recorded()
            self._unrecorded.append(record)
            if span is self.root:
                self._hand_over(self._sink)

    def child_started(self, workflow_id: str) -> None:
        """Take note of a child workflow that has spans."""
        self._children.append(workflow_id)

    def _hand_over(self, sink: SpanSink) -> None:
        info = workflow.info()
        run = TracedRun(
            trace_id=self.trace_id,
            workflow_id=info.workflow_id,
            span_ids=tuple(self._span_ids),
            children=tuple(self._children),
        )
        is_promotion = info.workflow_type == names.PROMOTION_REQUEST
        sink.run_ended(
            EndedRun(
                run=run,
                run_id=info.run_id,
                promotion_id=UUID(self.promotion_id) if is_promotion else None,
                last_task=info.get_current_history_length(),
                held=tuple(self._unrecorded),
            )
        )
        self._unrecorded.clear()

    def emit_recorded(self) -> None:
        """Emit the spans whose ends are in the history by now.

        A workflow task that is lost runs again, and what ended in it then ends at another time. So
        a span is emitted only when a later task shows that its own was recorded. Those that ended
        in the very last task are handed over when the workflow ends.
        """
        length = workflow.info().get_current_history_length()
        if self._sink is not None and length > self._history_length:
            for span in self._unrecorded:
                self._sink.emit(span)
            self._unrecorded.clear()
            self._history_length = length

    def record(self, span: OpenSpan, ended_at: datetime | None) -> SpanRecord:
        """The span as data; with `ended_at` None, as it stands now."""
        error: dict[str, AttributeValue] = {names.ERROR: span.failure is not None}
        if span.failure is not None:
            error[names.ERROR_TYPE] = span.failure.type
        return SpanRecord(
            trace_id=self.trace_id,
            span_id=span.span_id,
            parent_span_id=span.parent_span_id,
            trace_state=self._trace_state,
            name=span.name,
            kind=span.kind,
            started_at=span.started_at,
            ended_at=None if ended_at is None else max(ended_at, span.started_at),
            attributes={**self._common, **self._temporal, **span.attributes, **error},
            events=tuple(span.events),
            links=tuple(span.links),
            failure=span.failure,
        )

    def open_records(self) -> list[SpanRecord]:
        """The spans whose work still goes on."""
        return [self.record(span, None) for span in self._open.values()] if self.bound else []

    def context(self, span: OpenSpan | None = None) -> TraceContext | None:
        """The context to hand on, with `span` or the current one as the parent."""
        parent = span or _current_span.get() or self.root
        if parent is None:
            return None
        return TraceContext(
            trace_id=self.trace_id,
            span_id=parent.span_id,
            sampled=self.sampled,
            trace_state=self._trace_state,
            baggage=self._baggage,
        )

    @contextmanager
    def span(
        self, name: str, identity: str, attributes: Mapping[str, AttributeValue]
    ) -> Iterator[OpenSpan]:
        """A span around a piece of workflow code, current within it."""
        span = self.open(name, identity)
        span.set(attributes)
        outer = _current_span.get()
        _current_span.set(span)
        try:
            yield span
        finally:
            # What is left of a workflow may run inside of another one, whose context that is then.
            if not is_evicting(self.instance):
                _current_span.set(outer)
                self.close(span)


def instance() -> object:
    """What stands for the running workflow as this worker holds it: its event loop.

    Another worker's, or the same worker's after an eviction, is another one of the same run.
    """
    return asyncio.get_running_loop()


def is_evicting(held: object = None) -> bool:
    """Whether the workflow is being dropped from a worker's cache, its work not ended.

    Only an eviction runs workflow code without a time, since its activation carries no timestamp.
    What is left of a workflow when its worker is gone runs wherever the garbage is collected:
    outside of any workflow, or inside of another one, which can be of the same run.

    Args:
        held: the `instance` whose code asks; None where that can be the running one only.
    """
    if not workflow.in_workflow() or workflow.time() == 0.0:
        return True
    return held is not None and held is not instance()
