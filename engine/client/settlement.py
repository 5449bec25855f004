"""Have a promotion's trace settled by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.trace import SETTLE_WORKFLOW, Settlement, SettleRequest, settlement_id
from engine.client.execution import find, parsed
from engine.client.translation import cancellable, translated
from engine.client.workers import require_worker
from engine.config import TASK_QUEUE
from engine.errors import InputError, WaitTimeoutError

_WORKER_WITHIN = timedelta(seconds=5)


async def settle(client: Client, ref: str | UUID, within: timedelta) -> Settlement:
    """Bring to the collector what it lacks of an ended promotion's trace.

    Raises:
        InputError: the promotion has not ended.
        WaitTimeoutError: the collector has not taken the spans `within` that time; the settlement
            goes on.
        NotFoundError, UnreachableError, PromotionEngineError.
    """
    execution = await find(client, ref)
    if execution.is_open:
        raise InputError(
            "promotion",
            f"{execution.promotion_id} has not ended, so that its trace is not whole",
            "it is settled by itself when it ends",
        )
    await require_worker(client, _WORKER_WITHIN)
    request = SettleRequest(
        promotion_id=execution.promotion_id,
        workflow_id=execution.description.id,
        run_id=execution.description.run_id,
        after=timedelta(),
    )
    with translated("settle the trace"):
        handle = await client.start_workflow(
            SETTLE_WORKFLOW,
            request,
            id=settlement_id(execution.promotion_id),
            task_queue=TASK_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        try:
            async with asyncio.timeout(within.total_seconds()):
                with cancellable():
                    answer = await handle.result()
        except TimeoutError as error:
            raise WaitTimeoutError(
                "the collector has not taken the spans yet; the settlement goes on"
            ) from error
    return parsed(Settlement, answer)
