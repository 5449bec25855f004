"""The metrics of one process, from its start to its end; none of it exists without an endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from opentelemetry.metrics import Meter, MeterProvider
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.worker import Interceptor

from engine.metrics.database import COUNTS, FIGURES, Counts, Figures
from engine.metrics.durations import Durations
from engine.metrics.interceptor import MetricsInterceptor
from engine.metrics.observation import Source
from engine.metrics.provider import destination, exporters_observed, provider_to, shut_down
from engine.metrics.temporal import TemporalMetrics
from engine.metrics.waiting import WAITING, Waiting
from engine.store.store import Store
from engine.telemetry.resource import DISTRIBUTION, service_version

LAST_LOOK = timedelta(seconds=2)
"""How long reading everything once more may take at a process's end."""


class Metrics:
    """Where a process's measurements go.

    Attributes:
        meters: the provider, for what brings metrics of its own.
        meter: the one of the engine.
        runtime: Temporal's, whose metrics are exported too.
        every: time between two exports.
    """

    def __init__(self, meters: MeterProvider, runtime: Runtime, every: timedelta) -> None:
        self.meters = meters
        self.meter: Meter = meters.get_meter(DISTRIBUTION, service_version())
        self.runtime = runtime
        self.every = every


@asynccontextmanager
async def exporting_metrics() -> AsyncIterator[Metrics | None]:
    """Export what is measured during the block; None where the variables name no endpoint.

    The end exports once more, and is bounded whatever the collector does.

    Raises:
        InputError: an OTEL_* variable has a value that cannot be used.
    """
    where = destination()
    if where is None:
        yield None
        return
    with exporters_observed():
        provider = provider_to(where)
        temporal = TemporalMetrics(provider.get_meter("temporalio"))
        try:
            async with _meanwhile(temporal.run()):
                yield Metrics(provider, temporal.runtime, where.every)
        finally:
            temporal.drain()
            await asyncio.to_thread(shut_down, provider)


@asynccontextmanager
async def measuring(
    metrics: Metrics | None, store: Store, client: Client, window: timedelta
) -> AsyncIterator[Sequence[Interceptor]]:
    """Measure a worker's work, and look at the database and at Temporal, during the block.

    Args:
        window: over which the DORA figures are taken.

    Returns:
        The interceptors that the worker needs for it.
    """
    if metrics is None:
        yield ()
        return
    statistics = store.statistics
    durations = Durations(metrics.meter, statistics.subject)
    sources = (
        Source("the database", COUNTS, Counts(statistics).read, metrics.every),
        Source("deployments", FIGURES, Figures(statistics, window).read, metrics.every),
        Source(
            "what waits", WAITING, Waiting(client, statistics, store.traces).read, metrics.every
        ),
    )
    for source in sources:
        source.register(metrics.meter)
    async with _meanwhile(durations.run(), *(source.run() for source in sources)):
        yield (MetricsInterceptor(durations),)
        await durations.drain()
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_LOOK.total_seconds()):
            await asyncio.gather(*(source.refresh() for source in sources))


@asynccontextmanager
async def _meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for one in work:
            stack.push_async_callback(_cancelled, asyncio.create_task(one))
        yield


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
