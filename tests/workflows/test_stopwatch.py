"""A limit that does not run while the work waits for something that is not its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Replayer, Worker

from workflows.stopwatch import Stopwatch

LIMIT = timedelta(seconds=1)


@workflow.defn(name="test.stopwatch", sandboxed=False)
class Timed:
    """Works under a limit, with and without standing still meanwhile."""

    @workflow.run
    async def run(self) -> dict[str, str]:
        """What became of each piece of work."""
        stopwatch = Stopwatch()

        async def frozen() -> str:
            await asyncio.sleep(0.4)
            stopwatch.stop()
            stopwatch.stop()
            await asyncio.sleep(1.2)
            stopwatch.go()
            stopwatch.go()
            await asyncio.sleep(0.1)
            return "done"

        async def slow_after_a_freeze() -> str:
            stopwatch.stop()
            await asyncio.sleep(0.5)
            stopwatch.go()
            await asyncio.sleep(30)
            return "done"

        async def cancelled() -> str:
            task = asyncio.create_task(stopwatch.within(asyncio.sleep(30), LIMIT))
            await asyncio.sleep(0.01)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return "cancelled"
            return "not cancelled"

        async def failing() -> str:
            await asyncio.sleep(0)
            raise KeyError("its own")

        found = {"frozen": await stopwatch.within(frozen(), LIMIT)}
        begun = workflow.now()
        try:
            found["slow"] = await stopwatch.within(slow_after_a_freeze(), LIMIT)
        except TimeoutError:
            took = workflow.now() - begun
            found["slow"] = (
                "in time" if timedelta(seconds=1.5) <= took < timedelta(seconds=20) else "early"
            )
        found["cancelled"] = await cancelled()
        try:
            await stopwatch.within(failing(), LIMIT)
        except KeyError as error:
            found["failing"] = str(error)
        return found


async def test_time_stands_still_while_the_work_is_frozen(temporal_address: str) -> None:
    client = await Client.connect(temporal_address)
    queue = f"stopwatch-{uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[Timed]):
        handle = await client.start_workflow(Timed.run, id=queue, task_queue=queue)
        assert await handle.result() == {
            "frozen": "done",
            "slow": "in time",
            "cancelled": "cancelled",
            "failing": "'its own'",
        }
    replayed = await Replayer(workflows=[Timed]).replay_workflow(await handle.fetch_history())
    assert replayed.replay_failure is None
