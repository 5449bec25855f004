"""Follow a promotion as it goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from engine.client.execution import find
from engine.client.state import state_of
from engine.client.translation import translated
from engine.client.workers import NoWorkerError
from engine.errors import UnreachableError
from engine.model.promotion import PromotionState

_OUTAGE_BORNE = timedelta(seconds=60)
_PAUSE = timedelta(seconds=1)

_STEP = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


async def watch(client: Client, ref: str | UUID) -> AsyncGenerator[PromotionState]:
    """The promotion's state now and after each change, up to the final one.

    It is driven by the promotion's event history, so that watching costs the server and the
    worker nothing while nothing happens. Once it has begun it outlasts a worker's absence without
    limit (the promotion goes on when one comes back) and the server's for a minute.

    Raises:
        NotFoundError: there is no such promotion.
        InputError: its request was refused.
        UnreachableError: nobody could tell the state at the beginning, or the server stayed away.
        PromotionEngineError.
    """
    previous: PromotionState | None = None
    outage = _Outage()
    while True:
        try:
            execution = await find(client, ref)
            async for _ in _steps(execution.handle):
                execution = await find(client, ref)
                state = await state_of(execution)
                outage.over()
                if state != previous:
                    yield state
                previous = state
                if state.status.is_final and not execution.is_open:
                    return
        except UnreachableError as error:
            if previous is None:
                raise
            outage.bear(error)
            await asyncio.sleep(_PAUSE.total_seconds())


async def _steps(handle: WorkflowHandle[Any, Any]) -> AsyncIterator[None]:
    """One item at once, one after each step that the workflow takes, and one at its run's end."""
    events = handle.fetch_history_events(wait_new_event=True)
    at_once = True
    while at_once or events.next_page_token is not None:
        with translated("follow the promotion"):
            await events.fetch_next_page()
        if at_once or any(event.event_type == _STEP for event in events.current_page or ()):
            yield
        at_once = False
    yield


class _Outage:
    """How long nobody has answered."""

    def __init__(self) -> None:
        self._since: float | None = None

    def over(self) -> None:
        self._since = None

    def bear(self, error: UnreachableError) -> None:
        """Return while `error` is to be borne; raise it when it is not any more."""
        if isinstance(error, NoWorkerError):
            self.over()
            return
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > _OUTAGE_BORNE.total_seconds():
            raise error
