"""The worker: carries out promotion workflows and their short activities."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.errors import ErrorInterceptor
from activities.registry import worker_activities
from engine.config import TASK_QUEUE, Settings
from engine.evidence.keys import SigningKey
from engine.otel import opentelemetry_configured
from engine.processes import say_ready, stop_on_signals
from engine.projection import project
from engine.search_attributes import require_search_attributes
from engine.store.store import Store
from engine.sweep import ensure_sweep
from engine.telemetry.export import OtlpSink, schedule_delay, sink_from_environment
from engine.telemetry.interceptor import TracingInterceptor
from engine.telemetry.receipts import ReceiptWriter
from engine.telemetry.sampling import sampler
from engine.temporal import connect
from workflows.registry import WORKFLOW_INTERCEPTORS, WORKFLOWS, workflow_runner

GRACE = timedelta(seconds=10)
"""How long activities may go on after a worker was told to stop."""


SETTLE_DELAYS = 2
"""Batch delays that a settlement waits for spans that other workers still hold."""


def build_worker(
    client: Client, store: Store, settings: Settings, sink: OtlpSink | None = None
) -> Worker:
    """A worker on `promotions`. The client brings the tracing interceptor."""
    settle_after = None if sink is None else _settle_after()
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=worker_activities(
            store, settings.effective_signing_key, project, sink, settle_after
        ),
        interceptors=[ErrorInterceptor(), *WORKFLOW_INTERCEPTORS],
        workflow_runner=workflow_runner(),
        graceful_shutdown_timeout=GRACE,
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
        SigningKey.load_or_create(settings.effective_signing_key)
        async with Store.open(settings.effective_database_url) as store:
            await store.require_current_schema()
            async with _exporting(store) as sink:
                client = await connect(settings, TracingInterceptor(sink))
                await require_search_attributes(client)
                if sink is not None:
                    await ensure_sweep(client, _settle_after())
                async with build_worker(client, store, settings, sink):
                    yield


def _settle_after() -> timedelta:
    return SETTLE_DELAYS * schedule_delay()


@asynccontextmanager
async def _exporting(store: Store) -> AsyncIterator[OtlpSink | None]:
    receipts = ReceiptWriter(store.receipts.add)
    sink = sink_from_environment(exported=receipts)
    try:
        yield sink
    finally:
        if sink is not None:
            # In a thread, since the receipts of the last batch are written on this loop meanwhile.
            await asyncio.to_thread(sink.shutdown)
            await receipts.drain()


async def run_worker(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM; see `running_worker` for what it raises."""
    with stop_on_signals() as stopped:
        async with running_worker(settings):
            say_ready()
            await stopped.wait()
