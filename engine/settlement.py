"""Settlement by the worker that carried the promotion out, without reading its trace back.

What a run made in its last workflow task is held until the history shows that this very task was
recorded, and is exported then. When all runs of a promotion are closed and the collector has taken
all their spans, its trace is settled. What is left over, because a worker died or the collector was
away, `trace.sweep` has settled out of the histories.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from temporalio.client import Client
from temporalio.service import RPCError

from engine.errors import PromotionEngineError
from engine.recorded import Recorded, recorded
from engine.store.store import Store
from engine.telemetry import events, names
from engine.telemetry.ended import EndedRun
from engine.telemetry.events import event
from engine.telemetry.export import OtlpSink
from engine.telemetry.record import SpanRecord

_log = logging.getLogger(__name__)

LOOKS = 20
"""How often to look for the end of a run, and for receipts, before the sweep is left to it."""

AT_ONCE = 4
"""How many runs are looked at beside each other."""


class Settler:
    """The sink of a worker's spans, which settles the traces that it can.

    `emit` and `run_ended` are called on workflow threads, everything else on the event loop.

    Args:
        every: the time between two looks.
    """

    def __init__(self, store: Store, sink: OtlpSink, every: timedelta) -> None:
        self._store = store
        self._sink = sink
        self._every = every
        self._lock = threading.Lock()
        self._held: dict[str, list[EndedRun]] = {}
        self._looks: dict[str, int] = {}
        self._unsettled: dict[UUID, int] = {}

    def emit(self, span: SpanRecord) -> None:
        """Queue one finished span for export."""
        self._sink.emit(span)

    def run_ended(self, ended: EndedRun) -> None:
        """Take what is held of a run that has ended."""
        with self._lock:
            self._held.setdefault(ended.run_id, []).append(ended)

    @property
    def holds(self) -> int:
        """How many runs have ended whose last spans are not exported."""
        with self._lock:
            return len(self._held)

    @asynccontextmanager
    async def running(self, client: Client) -> AsyncIterator[None]:
        """Settle while the block runs; at its end, export what is held."""
        stopped = asyncio.Event()
        working = asyncio.create_task(self._work(client, stopped))
        try:
            yield
        finally:
            stopped.set()
            await working

    async def settle(self) -> None:
        """Settle the traces that are whole at the collector by now."""
        await self._guarded(self._settle())

    async def _settle(self) -> None:
        asked = list(self._unsettled)
        settled = await self._store.traces.settle(asked) if asked else frozenset()
        for promotion_id in asked:
            self._unsettled[promotion_id] += 1
            if promotion_id in settled:
                _log.debug(
                    "trace settled",
                    extra=event(events.TRACE_SETTLED, {names.PROMOTION_ID: str(promotion_id)}),
                )
            if promotion_id in settled or self._unsettled[promotion_id] >= LOOKS:
                del self._unsettled[promotion_id]

    async def _work(self, client: Client, stopped: asyncio.Event) -> None:
        while not stopped.is_set():
            try:
                await asyncio.wait_for(stopped.wait(), self._every.total_seconds())
            except TimeoutError:
                await self.settle()
            await self._guarded(self._release(client))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except PromotionEngineError as error:
            # The sweep makes up for whatever is not done here.
            _log.warning("traces are settled later: %s", error)

    async def _release(self, client: Client) -> None:
        """Export the spans of runs that are closed as this worker knows them."""
        places = asyncio.Semaphore(AT_ONCE)

        async def look(ended: EndedRun) -> EndedRun | None:
            async with places:
                try:
                    found = await recorded(client, ended)
                except RPCError as error:
                    _log.debug("the end of %s was not looked at: %s", ended.run_id, error)
                    found = Recorded.OPEN
            return self._taken(ended, found)

        with self._lock:
            candidates = [runs[0] for runs in self._held.values()]
        looked = await asyncio.gather(*(look(ended) for ended in candidates))
        released = [ended for ended in looked if ended is not None]
        for ended in released:
            for span in ended.held:
                self._sink.emit(span)
        if released:
            await self._store.traces.add_runs([ended.run for ended in released])
        for ended in released:
            if ended.promotion_id is not None:
                self._unsettled[ended.promotion_id] = 0

    def _taken(self, ended: EndedRun, found: Recorded) -> EndedRun | None:
        with self._lock:
            runs = self._held[ended.run_id]
            looks = self._looks.pop(ended.run_id, 0) + 1
            if found is Recorded.OPEN and looks < LOOKS:
                self._looks[ended.run_id] = looks
                return None
            del self._held[ended.run_id]
        # Of two ends one was lost, and nobody here knows which. An end that counts was handed over
        # before it was recorded, so that it is here by now.
        return ended if found is Recorded.YES and len(runs) == 1 else None
