"""Local activities side by side, whose order of ending is another than that of starting."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Interceptor, Replayer, Worker

from workflows.turns import TurnsInterceptor

SHORT = timedelta(seconds=20)
TASK = timedelta(seconds=1)
LONG = 900
RUNNING: list[int] = []


@activity.defn(name="work")
async def work(milliseconds: int) -> int:
    """Takes so long, and says how many others went on meanwhile."""
    RUNNING.append(milliseconds)
    others = len(RUNNING) - 1
    await asyncio.sleep(milliseconds / 1000)
    RUNNING.remove(milliseconds)
    return others


@activity.defn(name="note")
async def note(milliseconds: int) -> int:
    """Something else, done after the work."""
    return milliseconds


@workflow.defn(name="test.side_by_side", sandboxed=False)
class SideBySide:
    """What it does next depends on which of two activities ends first."""

    @workflow.run
    async def run(self) -> list[int]:
        """How many others each activity met."""

        async def slow() -> int:
            met = await workflow.execute_local_activity(work, 120, start_to_close_timeout=SHORT)
            await workflow.execute_local_activity(note, 1, start_to_close_timeout=SHORT)
            return met

        async def quick() -> int:
            met = await workflow.execute_local_activity(work, 1, start_to_close_timeout=SHORT)
            again = await workflow.execute_local_activity(work, 2, start_to_close_timeout=SHORT)
            return met + again

        async def cancelled() -> int:
            task = asyncio.create_task(
                workflow.execute_local_activity(work, 3, start_to_close_timeout=SHORT)
            )
            await asyncio.sleep(0.01)
            task.cancel()
            await workflow.wait([task])
            return await workflow.execute_local_activity(work, 4, start_to_close_timeout=SHORT)

        # Longer than a workflow task may take without a sign of life, so that it goes over two.
        await workflow.execute_local_activity(work, LONG, start_to_close_timeout=SHORT)
        return list(await asyncio.gather(slow(), quick(), cancelled()))


async def replayed(address: str, *interceptors: Interceptor) -> tuple[list[int], str]:
    """What the workflow returns, and what is wrong with its replay."""
    client = await Client.connect(address)
    queue = f"turns-{uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[SideBySide],
        activities=[work, note],
        interceptors=interceptors,
    ):
        told = await client.execute_workflow(
            SideBySide.run, id=queue, task_queue=queue, task_timeout=TASK
        )
    history = await client.get_workflow_handle(queue).fetch_history()
    replayer = Replayer(workflows=[SideBySide], interceptors=interceptors)
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    return told, str(result.replay_failure or "")


async def test_they_take_turns_and_a_replay_agrees(temporal_address: str) -> None:
    assert await replayed(temporal_address, TurnsInterceptor()) == ([0, 0, 0], "")
