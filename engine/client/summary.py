"""Lists of promotions, from the search attributes that each keeps current."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from engine.client.contract import WORKFLOW_TYPE
from engine.client.execution import attribute, promotion_id_of
from engine.client.translation import translated
from engine.errors import InputError
from engine.model.base import Name, Timestamp, Value
from engine.model.identity import tenant_id
from engine.model.promotion import PromotionStatus
from engine.model.search_attributes import (
    ENVIRONMENT_NAME,
    PROMOTION_DECISION,
    PROMOTION_ID,
    PROMOTION_STATUS,
    RELEASE_ID,
    RELEASE_VERSION,
    TENANT_ID,
    TRACE_ID,
)
from engine.model.verdict import Decision

_NAME = TypeAdapter[str](Name)

_CUT_OFF = {
    WorkflowExecutionStatus.TERMINATED: "Terminated",
    WorkflowExecutionStatus.TIMED_OUT: "TimedOut",
}


class PromotionSummary(Value):
    """One line of a list; a fact that is not known (yet) is empty or None.

    Attributes:
        status: None until a worker has taken up the request, and for a request that was refused.
        release_version: the release's version as its makers write it.
    """

    promotion_id: UUID
    workflow_id: str
    status: PromotionStatus | None
    decision: Decision | None
    release_id: UUID | None
    release_version: str
    environment: str
    tenant_id: UUID | None
    trace_id: str
    started_at: Timestamp
    ended_at: Timestamp | None


async def summaries(
    client: Client,
    *,
    tenant: str | None,
    environment: str | None,
    status: PromotionStatus | None,
    limit: int,
) -> tuple[PromotionSummary, ...]:
    """The latest promotions that match, the youngest first.

    Raises:
        InputError: a name cannot be one.
        UnreachableError, PromotionEngineError.
    """
    query = " AND ".join(_conditions(tenant, environment, status))
    found: list[PromotionSummary] = []
    with translated("list promotions"):
        async for execution in client.list_workflows(query, page_size=min(limit, 1000)):
            summary = _summary(execution)
            if status is None or summary.status is status:
                found.append(summary)
            if len(found) == limit:
                break
    return tuple(found)


def _conditions(
    tenant: str | None, environment: str | None, status: PromotionStatus | None
) -> Iterator[str]:
    yield f"WorkflowType = '{WORKFLOW_TYPE}'"
    # A request that was refused never became a promotion.
    yield f"{PROMOTION_ID} IS NOT NULL"
    if tenant is not None:
        yield f"{TENANT_ID} = '{tenant_id(tenant)}'"
    if environment is not None:
        yield f"{ENVIRONMENT_NAME} = '{_checked_name('environment', environment)}'"
    if status is PromotionStatus.ERRORED:
        closed = ", ".join(f"'{name}'" for name in _CUT_OFF.values())
        yield f"({PROMOTION_STATUS} = '{status}' OR ExecutionStatus IN ({closed}))"
    elif status is PromotionStatus.CANCELLED:
        yield f"({PROMOTION_STATUS} = '{status}' OR ExecutionStatus = 'Canceled')"
    elif status is not None:
        yield f"{PROMOTION_STATUS} = '{status}'"


def _checked_name(field: str, name: str) -> str:
    try:
        return _NAME.validate_python(name)
    except ValidationError as error:
        raise InputError(
            field, f"{name!r} is no name", "use lower-case letters, digits, '.', '_' and '-'"
        ) from error


def _summary(execution: WorkflowExecution) -> PromotionSummary:
    release = attribute(execution, RELEASE_ID)
    tenant = attribute(execution, TENANT_ID)
    return PromotionSummary(
        promotion_id=promotion_id_of(execution),
        workflow_id=execution.id,
        status=_status(execution),
        decision=_decision(execution),
        release_id=UUID(release) if release else None,
        release_version=attribute(execution, RELEASE_VERSION),
        environment=attribute(execution, ENVIRONMENT_NAME),
        tenant_id=UUID(tenant) if tenant else None,
        trace_id=attribute(execution, TRACE_ID),
        started_at=execution.start_time.astimezone(UTC),
        ended_at=execution.close_time,
    )


def _status(execution: WorkflowExecution) -> PromotionStatus | None:
    """The status; a workflow that was cut off could not say its own last one."""
    if execution.status in _CUT_OFF:
        return PromotionStatus.ERRORED
    if execution.status is WorkflowExecutionStatus.CANCELED:
        return PromotionStatus.CANCELLED
    with suppress(ValueError):
        return PromotionStatus(attribute(execution, PROMOTION_STATUS))
    return None


def _decision(execution: WorkflowExecution) -> Decision | None:
    with suppress(ValueError):
        return Decision(attribute(execution, PROMOTION_DECISION))
    return None
