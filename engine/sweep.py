"""The Temporal Schedule that has the traces of cut-off promotions settled."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError

from activities.trace import SweepRequest
from engine.config import TASK_QUEUE
from engine.errors import UnreachableError
from workflows.settlement import SweepWorkflow

SCHEDULE_ID = "trace/sweep"
INTERVAL = timedelta(minutes=1)
CLOSED_WITHIN = timedelta(days=1)
"""How far back a sweep looks; longer than any outage of all workers that it is to make up for."""


async def ensure_sweep(client: Client, settle_after: timedelta) -> None:
    """Make the schedule unless the namespace has it; doing it twice changes nothing.

    Raises:
        UnreachableError: the server does not answer.
    """
    action = ScheduleActionStartWorkflow(
        SweepWorkflow.run,
        SweepRequest(closed_within=CLOSED_WITHIN, settle_after=settle_after),
        id="trace/sweep",
        task_queue=TASK_QUEUE,
        static_summary="settle the traces of promotions that were terminated or timed out",
    )
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=INTERVAL)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
    try:
        await client.create_schedule(SCHEDULE_ID, schedule)
    except ScheduleAlreadyRunningError:
        return
    except RPCError as error:
        raise UnreachableError(f"the schedule {SCHEDULE_ID!r} cannot be made: {error}") from error
