"""The worker: carries out promotion workflows and their short activities."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.errors import ErrorInterceptor
from activities.registry import worker_activities
from engine.config import TASK_QUEUE, Settings
from engine.evidence.keys import SigningKey
from engine.processes import say_ready, stop_on_signals
from engine.search_attributes import require_search_attributes
from engine.store.store import Store
from engine.telemetry.export import sink_from_environment
from engine.telemetry.interceptor import TracingInterceptor
from engine.telemetry.sampling import sampler
from engine.temporal import connect
from workflows.registry import WORKFLOWS, workflow_runner

GRACE = timedelta(seconds=10)
"""How long activities may go on after a worker was told to stop."""


def build_worker(client: Client, store: Store, settings: Settings) -> Worker:
    """A worker on `promotions`. The client brings the tracing interceptor."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=worker_activities(store, settings.effective_signing_key),
        interceptors=[ErrorInterceptor()],
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
    sampler(None)
    SigningKey.load_or_create(settings.effective_signing_key)
    sink = sink_from_environment()
    try:
        async with Store.open(settings.effective_database_url) as store:
            await store.require_current_schema()
            client = await connect(settings, TracingInterceptor(sink))
            await require_search_attributes(client)
            async with build_worker(client, store, settings):
                yield
    finally:
        if sink is not None:
            sink.shutdown()


async def run_worker(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM; see `running_worker` for what it raises."""
    with stop_on_signals() as stopped:
        async with running_worker(settings):
            say_ready()
            await stopped.wait()
