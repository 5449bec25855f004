"""Whether the end of a run is in its history as the worker that ended it knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from enum import Enum, auto

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryReverseRequest as Request,
)
from temporalio.client import Client

from engine.telemetry.ended import EndedRun

PAGE = 20
"""Events; more than a last workflow task has markers for."""

TIMEOUT = timedelta(seconds=10)

_ENDED = frozenset(
    {
        "workflow_execution_completed_event_attributes",
        "workflow_execution_failed_event_attributes",
        "workflow_execution_canceled_event_attributes",
        "workflow_execution_continued_as_new_event_attributes",
    }
)
_CUT_OFF = frozenset(
    {
        "workflow_execution_terminated_event_attributes",
        "workflow_execution_timed_out_event_attributes",
    }
)


class Recorded(Enum):
    """What the history says of a run's end."""

    OPEN = auto()
    """The run has not ended yet."""
    YES = auto()
    """It ended with the workflow task that this process has completed."""
    NO = auto()
    """It ended in another way, or with another process's task."""


async def recorded(client: Client, ended: EndedRun) -> Recorded:
    """Look at the last events of the run.

    Raises:
        RPCError: the server does not answer, or has forgotten the run.
    """
    completed_id = 0
    async for event in _backwards(client, ended):
        kind = event.WhichOneof("attributes")
        if completed_id == event.event_id:
            completed = event.workflow_task_completed_event_attributes
            mine = completed.identity == client.identity
            same = completed.started_event_id == ended.last_task
            return Recorded.YES if mine and same else Recorded.NO
        if kind in _ENDED:
            completed_id = getattr(event, kind).workflow_task_completed_event_id
        elif not completed_id:
            return Recorded.NO if kind in _CUT_OFF else Recorded.OPEN
    return Recorded.NO


async def _backwards(client: Client, ended: EndedRun) -> AsyncIterator[HistoryEvent]:
    execution = WorkflowExecution(workflow_id=ended.run.workflow_id, run_id=ended.run_id)
    token = b""
    while True:
        page = await client.workflow_service.get_workflow_execution_history_reverse(
            Request(
                namespace=client.namespace,
                execution=execution,
                maximum_page_size=PAGE,
                next_page_token=token,
            ),
            timeout=TIMEOUT,
        )
        for event in page.history.events:
            yield event
        token = page.next_page_token
        if not token:
            return
