"""Whether this container's process polls its task queue: `healthcheck.py QUEUE`, exit code 0 or 1.

The server knows who polls (https://docs.temporal.io/workers#worker-identity); a process that hangs,
or has lost the server, is no longer among them. The connection is that of the process itself, from
Temporal's own environment configuration.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

FRESH = timedelta(minutes=2)
"""A poll lasts up to a minute before the next one is seen."""


async def polls(queue: str, host: str) -> bool:
    """Whether a process on `host` has polled `queue` for activities of late.

    Raises:
        RuntimeError: the server does not answer.
        RPCError: it refuses to tell.
    """
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
    )
    oldest = datetime.now(UTC) - FRESH
    # An identity is `PID@HOST` unless somebody chooses another one, which our processes do not.
    return any(
        poller.identity.endswith(f"@{host}") and _seen(poller) > oldest for poller in answer.pollers
    )


def _seen(poller: PollerInfo) -> datetime:
    return poller.last_access_time.ToDatetime(tzinfo=UTC)


def main(queue: str) -> int:
    """The exit code, with the reason for a bad one on standard output, where Docker keeps it."""
    try:
        if asyncio.run(polls(queue, socket.gethostname())):
            return 0
    except (RuntimeError, RPCError) as error:
        print(f"the Temporal server cannot be asked: {error}")
        return 1
    print(f"nobody on {socket.gethostname()} polls task queue {queue}")
    return 1


if __name__ == "__main__":
    code = main(sys.argv[1])
    sys.stdout.flush()
    # Temporal's client has threads of its own that can break the interpreter's orderly end.
    os._exit(code)
