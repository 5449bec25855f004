"""Find the workflow execution that carries out a promotion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from engine.client.contract import WORKFLOW_TYPE, workflow_id
from engine.client.translation import translated
from engine.errors import NotFoundError, PromotionEngineError
from engine.model.identity import promotion_id
from engine.model.promotion import PromotionRequest
from engine.model.search_attributes import PROMOTION_ID

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Execution:
    """A promotion's workflow as it was when it was looked up.

    Attributes:
        handle: follows the promotion into later runs (continue as new).
    """

    client: Client
    handle: WorkflowHandle[Any, Any]
    description: WorkflowExecutionDescription

    @property
    def promotion_id(self) -> UUID:
        """The promotion's id."""
        return promotion_id_of(self.description)

    @property
    def is_open(self) -> bool:
        """Whether the workflow still runs."""
        return self.description.close_time is None


def promotion_id_of(execution: WorkflowExecution) -> UUID:
    """The id of the promotion that a workflow carries out."""
    known = attribute(execution, PROMOTION_ID)
    if known:
        return UUID(known)
    return promotion_id(execution.id, execution.raw_info.first_run_id or execution.run_id)


def attribute(execution: WorkflowExecution, name: str) -> str:
    """The value of one of our search attributes; empty while it is not set."""
    return execution.typed_search_attributes.get(SearchAttributeKey.for_keyword(name)) or ""


async def find(client: Client, ref: str | UUID) -> Execution:
    """The execution of the promotion `ref`: its id, or the id of its workflow.

    Raises:
        NotFoundError: there is no such promotion in the namespace.
        UnreachableError, PromotionEngineError.
    """
    with translated(f"look up promotion {ref}"):
        async for workflow, run in _candidates(client, str(ref)):
            execution = await _describe(client, workflow, run)
            if execution is None:
                continue
            if execution.description.workflow_type != WORKFLOW_TYPE:
                raise NotFoundError(
                    "promotion",
                    f"workflow {workflow} is a {execution.description.workflow_type}",
                    "see: promote list",
                )
            return execution
    raise NotFoundError("promotion", f"there is none with the id {ref}", "see: promote list")


async def _candidates(client: Client, ref: str) -> AsyncIterator[tuple[str, str | None]]:
    """Workflow ids that `ref` may stand for, each with its run if not the latest."""
    try:
        promotion = UUID(ref)
    except ValueError:
        yield ref, None
        return
    yield workflow_id(promotion), None
    # Started by a foreign client: the Temporal command line makes bare UUIDs, others anything,
    # and they may use a workflow id again, so that the run matters.
    yield str(promotion), None
    async for found in client.list_workflows(
        f"WorkflowType = '{WORKFLOW_TYPE}' AND {PROMOTION_ID} = '{promotion}'", limit=1
    ):
        yield found.id, found.run_id


async def _describe(client: Client, workflow: str, run: str | None) -> Execution | None:
    """That run of a workflow, or its latest; None when there is none."""
    handle = client.get_workflow_handle(workflow, run_id=run)
    try:
        description = await handle.describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            return None
        raise
    if run is not None and description.status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
        return await _describe(client, workflow, None)
    return Execution(client, handle, description)


async def request_of(execution: Execution) -> PromotionRequest:
    """The request as it was given, read from the start of the promotion's history.

    Raises:
        UnreachableError, PromotionEngineError.
    """
    info = execution.description.raw_info
    with translated("read the promotion's request"):
        first = execution.client.get_workflow_handle(
            execution.description.id,
            run_id=info.first_run_id or execution.description.run_id,
        )
        async for event in first.fetch_history_events(page_size=1):
            started = event.workflow_execution_started_event_attributes
            values = await execution.description.data_converter.decode(started.input.payloads)
            return parsed(PromotionRequest, values[0] if values else None)
    raise PromotionEngineError("the promotion's history is empty")


def parsed(kind: type[_Model], data: object) -> _Model:
    """`data`, which a workflow gave, as a `kind`.

    Raises:
        PromotionEngineError: it is none, so that the workflow belongs to another version.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise PromotionEngineError(
            f"the promotion's workflow gave a {kind.__name__} that this version cannot read"
        ) from error
