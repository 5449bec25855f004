"""Waiting for something to come true, for a time at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow


async def until(
    condition: Callable[[], bool], within: timedelta | float | None, summary: str | None = None
) -> bool:
    """Wait until `condition` is true or the time is over.

    Args:
        within: seconds, where it is a number; None for no end.
        summary: what the timer is for, in the Temporal UI.

    Returns:
        Whether the condition came true.
    """
    # Not by `wait_condition(timeout=…)`: asyncio.wait_for of Python 3.11 loses a cancellation that
    # comes as the condition comes true, as when another gate's end rings and decides.
    if within is None:
        await workflow.wait_condition(condition)
        return True
    timer = asyncio.create_task(workflow.sleep(within, summary=summary))
    try:
        await workflow.wait_condition(lambda: condition() or timer.done())
    finally:
        timer.cancel()
    return condition()
