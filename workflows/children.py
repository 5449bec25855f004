"""Work that a cancellation must not cut off in the middle: starting children, final records."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import workflow

Child = workflow.ChildWorkflowHandle[Any, Any]
_Result = TypeVar("_Result")


async def started(start: Coroutine[Any, Any, Child]) -> Child:
    """The started child; a cancellation meanwhile is handed to the child once it has started."""
    starting = asyncio.create_task(start)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        child = await _outlasting_cancels(starting)
        child.cancel()
        return child


async def uninterrupted(work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of `work`, which goes on to its end also when the workflow is cancelled."""
    return await _outlasting_cancels(asyncio.create_task(work))


async def _outlasting_cancels(task: asyncio.Task[_Result]) -> _Result:
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.done():
                return task.result()


async def whole(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Like `uninterrupted`, and then cancelled after all."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _outlasting_cancels(task)
        raise
