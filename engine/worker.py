"""The worker: carries out promotion workflows and their short activities."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from activities.errors import ErrorInterceptor
from activities.plugin_calls import PluginCallsInterceptor
from activities.registry import worker_activities
from engine.actions.heartbeat import SECONDS
from engine.config import TASK_QUEUE, Settings
from engine.evidence.keys import SigningKey
from engine.logs.interceptor import LogInterceptor
from engine.metrics import names as measured
from engine.metrics.observation import observe
from engine.metrics.process import Metrics, exporting_metrics, measuring
from engine.otel import opentelemetry_configured
from engine.processes import say_ready, stop_on_signals
from engine.projection import project
from engine.search_attributes import require_search_attributes
from engine.settlement import Settler
from engine.store.store import Store
from engine.sweep import ensure_sweep
from engine.telemetry import events
from engine.telemetry.events import event
from engine.telemetry.export import OtlpSink, schedule_delay, sink_from_environment
from engine.telemetry.interceptor import TracingInterceptor
from engine.telemetry.receipts import ReceiptWriter
from engine.telemetry.sampling import sampler
from engine.temporal import connect
from workflows.registry import WORKFLOW_INTERCEPTORS, WORKFLOWS, workflow_runner

_log = logging.getLogger(__name__)

GRACE = timedelta(seconds=10)
"""How long activities may go on after a worker was told to stop."""


SETTLE_DELAYS = 2
"""Batch delays that a settlement waits for spans that other workers still hold."""


def build_worker(
    client: Client,
    store: Store,
    settings: Settings,
    sink: OtlpSink | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Worker:
    """A worker on `promotions`. The client brings the tracing interceptor.

    Args:
        interceptors: further ones.
    """
    settle_after = None if sink is None else _settle_after()
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=worker_activities(
            store, settings.effective_signing_key, project, sink, settle_after
        ),
        interceptors=[
            *interceptors,
            LogInterceptor(),
            PluginCallsInterceptor(),
            ErrorInterceptor(),
            *WORKFLOW_INTERCEPTORS,
        ],
        workflow_runner=workflow_runner(),
        graceful_shutdown_timeout=GRACE,
        # A call that is not wanted any more hears of it by the answer to a heartbeat.
        max_heartbeat_throttle_interval=timedelta(seconds=SECONDS),
    )


@asynccontextmanager
async def running_worker(settings: Settings) -> AsyncIterator[None]:
    """A worker that polls while the block runs, with everything that it needs checked before.

    Raises:
        InputError: a setting cannot be used.
        SchemaVersionError: the database needs a migration.
        UnreachableError: Temporal or the database does not answer.
    """
    with opentelemetry_configured(settings):
        sampler(None)
        _require_signing_key(settings)
        async with (
            exporting_metrics() as metrics,
            Store.open(settings.effective_database_url) as store,
        ):
            await store.require_current_schema()
            async with _exporting(store, metrics) as exporting:
                client = await connect(
                    settings,
                    TracingInterceptor(exporting.settler),
                    runtime=None if metrics is None else metrics.runtime,
                )
                await require_search_attributes(client)
                if exporting.settler is not None:
                    await ensure_sweep(client, _settle_after())
                async with (
                    measuring(metrics, store, client, settings.dora_window) as interceptors,
                    exporting.settling(client),
                    build_worker(client, store, settings, exporting.sink, interceptors),
                ):
                    yield


def _require_signing_key(settings: Settings) -> None:
    """Make the key of the default place on first use; one that is named must be there.

    A worker that finds no key at a place that somebody named must not sign with another.
    """
    path = settings.effective_signing_key
    if settings.signing_key is None:
        SigningKey.load_or_create(path)
    else:
        SigningKey.load(path)


def _settle_after() -> timedelta:
    return SETTLE_DELAYS * schedule_delay()


@dataclass(frozen=True)
class _Exporting:
    """The exporter and what settles its traces; both None where nothing is exported."""

    sink: OtlpSink | None = None
    settler: Settler | None = None

    def settling(self, client: Client) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self.settler is None else self.settler.running(client)


@asynccontextmanager
async def _exporting(store: Store, metrics: Metrics | None) -> AsyncIterator[_Exporting]:
    receipts = ReceiptWriter(store.receipts.add)
    if metrics is not None:
        observe(metrics.meter, measured.RECEIPTS_LOST, lambda: [(receipts.lost, {})])
    sink = sink_from_environment(receipts, None if metrics is None else metrics.meters)
    if sink is None:
        yield _Exporting()
        return
    settler = Settler(store, sink, schedule_delay())
    try:
        yield _Exporting(sink, settler)
    finally:
        # In a thread, since the receipts of the last batch are written on this loop meanwhile.
        await asyncio.to_thread(sink.shutdown)
        await receipts.drain()
        await settler.settle()


async def run_worker(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM; see `running_worker` for what it raises."""
    with stop_on_signals() as stopped:
        async with running_worker(settings):
            say_ready()
            _log.info("takes work from %s", TASK_QUEUE, extra=event(events.PROCESS_READY))
            await stopped.wait()
            _log.info("stops", extra=event(events.PROCESS_STOPPING))
