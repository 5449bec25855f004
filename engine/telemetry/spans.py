"""What workflow code says about its own spans. It runs under the tracing interceptor only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from engine.model.failure import Failure
from engine.model.lineage import Lineage
from engine.model.promotion import PromotionSnapshot
from engine.model.verdict import AttributeValue
from engine.telemetry import names
from engine.telemetry.attempts import add_attempt
from engine.telemetry.links import to_lineage
from engine.telemetry.propagation import TraceContext
from engine.telemetry.scope import OpenSpan, WorkflowScope

current_scope: ContextVar[WorkflowScope] = ContextVar("promotion_engine_scope")
"""The scope of the running workflow; the interceptor sets it."""


def bind(promotion: PromotionSnapshot, *, sampled: bool) -> None:
    """Tell what the promotion is, once it is resolved."""
    current_scope.get().bind(promotion, sampled=sampled)


def follows(lineage: Lineage) -> None:
    """Link the promotion's span to those of the promotions that it follows upon."""
    root = current_scope.get().root
    if root is not None:
        root.links.extend(to_lineage(lineage))


@contextmanager
def span(
    name: str, identity: str, attributes: Mapping[str, AttributeValue] | None = None
) -> Iterator[OpenSpan]:
    """A span around a piece of work inside the workflow.

    Args:
        name: one of the specification's span names.
        identity: the domain key of the work, unique for this name within the promotion.
    """
    with current_scope.get().span(name, identity, attributes or {}) as opened:
        yield opened


def attempt_failed(
    work: OpenSpan,
    identity: str,
    attributes: Mapping[str, AttributeValue],
    failure: Failure,
    *,
    started_at: datetime,
    ended_at: datetime,
    before: OpenSpan | None,
) -> OpenSpan:
    """Add the span of an attempt that failed, beside the open span of the work itself.

    Args:
        identity: of the attempt: `<that of the work>/attempt/<number>`.
        before: the span of the attempt before it.
    """
    return add_attempt(
        current_scope.get(),
        work,
        identity,
        started_at,
        ended_at,
        attributes,
        failure,
        before,
    )


def follows_attempt(work: OpenSpan, before: OpenSpan) -> None:
    """Link the span of the work, which stands for its last attempt, to the attempt before."""
    current_scope.get().link(work, names.PREVIOUS_ATTEMPT, before.span_id)


def conclude(attributes: Mapping[str, AttributeValue], failure: Failure | None = None) -> None:
    """Tell how the workflow itself ended; its span closes when it returns or raises."""
    root = current_scope.get().root
    if root is not None:
        root.set(attributes)
        if failure is not None:
            root.fail(failure)


def trace_id() -> str:
    """The trace id of the running promotion: 32 hexadecimal digits."""
    return current_scope.get().trace_id


def caller() -> TraceContext | None:
    """The context that the caller gave, or None."""
    return current_scope.get().caller
