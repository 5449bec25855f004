"""A limit on how long work may take, which does not run while the work has to wait for a freeze."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow

from workflows import waiting

_Result = TypeVar("_Result")


class Stopwatch:
    """Measures the time of one piece of work after the other."""

    def __init__(self) -> None:
        self._stopped_at: datetime | None = None
        self._stopped_for = timedelta()
        self._changes = 0

    def stop(self) -> None:
        """Let no time pass until `go`."""
        if self._stopped_at is None:
            self._stopped_at = workflow.now()
            self._changes += 1

    def go(self) -> None:
        """Let time pass again."""
        if self._stopped_at is not None:
            self._stopped_for += workflow.now() - self._stopped_at
            self._stopped_at = None
            self._changes += 1

    async def within(self, work: Coroutine[Any, Any, _Result], limit: timedelta) -> _Result:
        """The result of `work`, which is cancelled when its time is up.

        Raises:
            TimeoutError: it took more than `limit` of the time that passed.
        """
        task = asyncio.create_task(work)
        try:
            in_time = await self._until_done(task, limit)
        except asyncio.CancelledError:
            if not task.done():
                await _ended(task)
                raise
        else:
            if not in_time:
                await _ended(task)
                raise TimeoutError
        return task.result()

    async def _until_done(self, task: asyncio.Task[_Result], limit: timedelta) -> bool:
        ends_at, stopped_before = workflow.now() + limit, self._stopped_for
        while not task.done():
            seen, left = self._changes, None
            if self._stopped_at is None:
                left = ends_at + (self._stopped_for - stopped_before) - workflow.now()
                left = max(timedelta(), left)
            is_told = await waiting.until(
                lambda seen=seen: task.done() or self._changes != seen,  # type: ignore[misc]  # a default that binds the loop's value has no annotation
                left,
            )
            if not is_told:
                return False
        return True


async def _ended(task: asyncio.Task[_Result]) -> None:
    task.cancel()
    await workflow.wait([task])
