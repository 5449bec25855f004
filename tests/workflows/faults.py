"""Faults for the workflows' tests: a store that is slow or refuses, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError

from engine.errors import SchemaVersionError
from engine.projection import project
from engine.store.database import Database
from engine.store.rows import PromotionRow
from engine.telemetry.record import SpanRecord
from tests.harness.system import PATIENCE, System

Handle = WorkflowHandle[Any, Any]


def id_of(handle: Handle) -> UUID:
    """The promotion that a workflow carries out."""
    return UUID(handle.id.removeprefix("promotion/"))


async def end(handle: Handle) -> WorkflowExecutionStatus:
    """How the workflow's latest run ended; one that does not end is terminated."""
    for _ in range(int(PATIENCE / 0.05)):
        status = (await handle.describe()).status
        if status is not None and status is not WorkflowExecutionStatus.RUNNING:
            return status
        await asyncio.sleep(0.05)
    failures = await task_failures(handle)
    await handle.terminate()
    raise AssertionError(f"it does not end: {failures[:1]}")


async def task_failures(handle: Handle) -> list[str]:
    """Why workflow tasks failed."""
    return [
        event.workflow_task_failed_event_attributes.failure.message
        for event in (await handle.fetch_history()).events
        if event.HasField("workflow_task_failed_event_attributes")
    ]


async def child(system: System, handle: Handle, suffix: str) -> Handle:
    """A child of the promotion, once it has started: `workflow` or `deployment/<node>`."""
    found: Handle = system.client.get_workflow_handle(f"promotion/{id_of(handle)}/{suffix}")
    for _ in range(int(PATIENCE / 0.02)):
        try:
            await found.describe()
        except RPCError:
            await asyncio.sleep(0.02)
        else:
            return found
    raise AssertionError(f"{found.id} never started")


async def stored(system: System, handle: Handle) -> PromotionRow:
    """The promotion as recorded."""
    return await system.store.promotions.get(id_of(handle))


async def statuses(system: System, table: str) -> list[str]:
    """The status of every row of a table, sorted."""
    database = Database(system.settings.effective_database_url)
    try:
        async with database.read() as session:
            found = await session.scalars(text(f"SELECT status FROM {table}"))
            return sorted(found)
    finally:
        await database.close()


async def spans_of(system: System, handle: Handle) -> tuple[SpanRecord, ...]:
    """The promotion's trace, in which every span must be closed."""
    spans = (await project(system.client, handle.id)).spans
    assert [span.name for span in spans if span.ended_at is None] == []
    return spans


async def reset(system: System, handle: Handle, *, activity: str = "", later: int = 0) -> Handle:
    """Reset a promotion, as an operator does, and return its new run.

    Args:
        activity: the reset goes to the workflow task that carried out this local activity; to the
            first workflow task by default.
        later: how many workflow tasks after that one.
    """
    wanted: int | None = None
    completed: list[int] = []
    for event in (await handle.fetch_history()).events:
        if event.HasField("workflow_task_completed_event_attributes"):
            completed.append(event.event_id)
        marker = event.marker_recorded_event_attributes.SerializeToString()
        if wanted is None and activity.encode() in marker and (activity or completed):
            wanted = len(completed) - 1
    assert wanted is not None, f"there is no {activity}"
    answer = await system.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=system.client.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=handle.id, run_id=(await handle.describe()).run_id
            ),
            reason="once more",
            workflow_task_finish_event_id=completed[wanted + later],
            request_id=str(uuid4()),
        )
    )
    return system.client.get_workflow_handle(handle.id, run_id=answer.run_id)


def slow(
    monkeypatch: pytest.MonkeyPatch,
    repository: type,
    method: str,
    seconds: float,
    when: Callable[..., bool] = lambda *_, **__: True,
) -> asyncio.Event:
    """Make a repository's method slow; the event is set when it is called."""
    original, called = getattr(repository, method), asyncio.Event()

    async def slowed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            called.set()
            await asyncio.sleep(seconds)
        return await original(self, *args, **kwargs)

    monkeypatch.setattr(repository, method, slowed)
    return called


def refuse(
    monkeypatch: pytest.MonkeyPatch,
    repository: type,
    method: str,
    when: Callable[..., bool] = lambda *_, **__: True,
) -> None:
    """Make a repository's method fail for good, as one does whose table is not migrated."""
    original = getattr(repository, method)

    async def refused(self: Any, *args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            raise SchemaVersionError("the database lacks what this version needs")
        return await original(self, *args, **kwargs)

    monkeypatch.setattr(repository, method, refused)
