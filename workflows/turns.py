"""Local activities of one workflow run one after another.

In the replay of a workflow task that was extended, the SDK can answer local activities in the order
in which they were started where they had been done in another one. What a workflow does next would
then not be what its history says. One at a time have one order.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from temporalio import workflow
from temporalio.worker import (
    Interceptor,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)


class TurnsInterceptor(Interceptor):
    """Makes a local activity wait for the one before."""

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """See `temporalio.worker.Interceptor`."""
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor) -> None:
        super().__init__(next)
        self._open: list[asyncio.Task[Any]] = []

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        # All of them, since one that is cancelled while it waits ends before those before it.
        before = [task for task in self._open if not task.done()]
        if before:
            # Awaited and cancelled like the handle of the activity, which is a task too.
            waiting = asyncio.create_task(self._in_turn(before, input))
            handle = cast("workflow.ActivityHandle[Any]", waiting)
        else:
            handle = super().start_local_activity(input)
        self._open = [*before, handle]
        return handle

    async def _in_turn(
        self, before: list[asyncio.Task[Any]], input: StartLocalActivityInput
    ) -> Any:
        await workflow.wait(before)
        return await super().start_local_activity(input)
