"""Tell whether anybody works on promotions at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from engine.client.translation import translated
from engine.config import TASK_QUEUE
from engine.errors import UnreachableError

_PAUSE = timedelta(milliseconds=250)


class NoWorkerError(UnreachableError):
    """No worker polls our task queue; promotions stand still until one does."""

    def __init__(self) -> None:
        super().__init__(
            f"no worker polls task queue {TASK_QUEUE}; "
            "start one with: promote worker (or promote dev)"
        )


async def require_worker(client: Client, within: timedelta) -> None:
    """Return as soon as a worker polls our task queue.

    Raises:
        NoWorkerError: none did during `within`.
    """
    deadline = time.monotonic() + within.total_seconds()
    while True:
        if await is_polled(client):
            return
        if time.monotonic() > deadline:
            raise NoWorkerError
        await asyncio.sleep(_PAUSE.total_seconds())


async def is_polled(client: Client) -> bool:
    """Whether the server knows of a worker on our task queue (it forgets one after minutes)."""
    return bool(await _pollers(client, TASK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW))


async def last_polled(client: Client, task_queue: str) -> datetime | None:
    """When somebody last asked for the activities of a task queue; None when nobody is known to.

    The server forgets after some minutes who asked.
    """
    pollers = await _pollers(client, task_queue, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
    asked = [poller.last_access_time.ToDatetime(tzinfo=UTC) for poller in pollers]
    return max(asked, default=None)


async def _pollers(
    client: Client, task_queue: str, kind: TaskQueueType.ValueType
) -> Sequence[PollerInfo]:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
    )
    with translated(f"ask who polls task queue {task_queue}"):
        response = await client.workflow_service.describe_task_queue(request, retry=True)
    return response.pollers
