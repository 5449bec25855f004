"""The tasks that a promotion's deployments have handed to agents and that have not ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp as ProtoTimestamp
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowExecutionDescription

from engine.client.execution import Execution
from engine.client.translation import translated
from engine.client.workers import last_polled
from engine.model.agent_task import AgentTask
from engine.model.base import Timestamp, Value
from engine.telemetry import names

_TASKS = names.agent_task("")


class PendingTask(Value):
    """One task on its way.

    Attributes:
        until: when the next attempt begins, or when an agent that takes it no more is given up.
        is_retry: whether the next attempt is waited for.
        polled_at: when the agent last asked for tasks; None when the server knows of none.
        attempt: the one that runs or comes next; 1 for the first.
    """

    task_id: UUID
    type: str
    agent: str
    target: str
    text: str
    until: Timestamp | None
    is_retry: bool
    polled_at: Timestamp | None
    attempt: int
    last_failure: str


async def pending_tasks(execution: Execution) -> tuple[list[PendingTask], list[tuple[str, int]]]:
    """The tasks of a promotion that have not ended, and what no worker gets on with.

    Returns:
        The tasks; and for each workflow that fails again and again a text, and how often it did.

    Raises:
        UnreachableError, PromotionEngineError.
    """
    tasks: list[PendingTask] = []
    stuck: list[tuple[str, int]] = []
    with translated("look at the promotion's workflows"):
        async for described in _family(execution.client, execution.description):
            failed = described.raw_description.pending_workflow_task.attempt - 1
            if failed > 0:
                text = f"workflow {described.id} has failed {failed} times in a row at a worker"
                stuck.append((f"{text}; see the worker's log", failed))
            pending = [
                one
                for one in described.raw_description.pending_activities
                if one.activity_type.name.startswith(_TASKS)
            ]
            if pending:
                tasks += await _tasks_of(execution.client, described, pending)
    return tasks, stuck


async def _family(
    client: Client, description: WorkflowExecutionDescription
) -> AsyncIterator[WorkflowExecutionDescription]:
    yield description
    for child in description.raw_description.pending_children:
        handle = client.get_workflow_handle(child.workflow_id, run_id=child.run_id)
        async for described in _family(client, await handle.describe()):
            yield described


async def _tasks_of(
    client: Client,
    description: WorkflowExecutionDescription,
    pending: list[PendingActivityInfo],
) -> list[PendingTask]:
    wanted = {one.activity_id: one for one in pending}
    found: list[PendingTask] = []
    polled: dict[str, datetime | None] = {}
    handle = client.get_workflow_handle(description.id, run_id=description.run_id)
    async for event in handle.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        one = wanted.get(scheduled.activity_id)
        if one is None:
            continue
        queue = scheduled.task_queue.name
        if queue not in polled:
            polled[queue] = await last_polled(client, queue)
        (task,) = await description.data_converter.decode(scheduled.input.payloads, [AgentTask])
        found.append(_pending(task, one, scheduled, polled[queue]))
    return found


def _pending(
    task: AgentTask,
    one: PendingActivityInfo,
    scheduled: ActivityTaskScheduledEventAttributes,
    polled_at: datetime | None,
) -> PendingTask:
    what = f"{task.type.value} on {task.target.name}"
    agent = task.target.agent
    last_failure = one.last_failure.message if one.HasField("last_failure") else ""
    started = one.state != PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    next_at = _moment(one, "next_attempt_schedule_time")
    is_retry = not started and one.attempt > 1 and next_at is not None
    until: datetime | None = None
    if is_retry:
        most = f" of {one.maximum_attempts}" if one.maximum_attempts else ""
        text, until = f"attempt {one.attempt}{most} of {what} on agent {agent}", next_at
    elif started:
        text = f"agent {agent} to end {what}"
    else:
        text = f"agent {agent} to take {what}"
        handed_at = _moment(one, "scheduled_time")
        if handed_at is not None and scheduled.HasField("schedule_to_start_timeout"):
            until = handed_at + scheduled.schedule_to_start_timeout.ToTimedelta()
    if not started and polled_at is None:
        text += f"; nobody asks for its tasks, start it with: promote agent --id {agent}"
    if last_failure:
        text += f"; the last attempt failed: {last_failure}"
    return PendingTask(
        task_id=task.id,
        type=task.type.value,
        agent=agent,
        target=task.target.name,
        text=text,
        until=until,
        is_retry=is_retry,
        polled_at=polled_at,
        attempt=max(1, one.attempt),
        last_failure=last_failure,
    )


def _moment(one: PendingActivityInfo, field: str) -> datetime | None:
    if not one.HasField(field):  # type: ignore[arg-type]  # the stubs list the names as literals
        return None
    moment: ProtoTimestamp = getattr(one, field)
    return moment.ToDatetime(tzinfo=UTC)
