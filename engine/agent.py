"""The agent: a Temporal worker beside its targets, which needs no port that others can reach."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from activities.errors import ErrorInterceptor
from activities.plugin_calls import PluginCallsInterceptor
from activities.registry import agent_activities
from engine.config import Settings
from engine.drivers.directory.supervision import start_services, stop_services
from engine.logs.interceptor import LogInterceptor
from engine.metrics.process import exporting_metrics
from engine.otel import opentelemetry_configured
from engine.processes import say_ready, stop_on_signals
from engine.telemetry import events, names
from engine.telemetry.events import event
from engine.temporal import connect

_log = logging.getLogger(__name__)

GRACE = timedelta(seconds=10)
"""How long a task may go on after an agent was told to stop."""


def task_queue(agent: str) -> str:
    """The task queue of the agent called `agent`."""
    return f"agent.{agent}"


def build_agent(client: Client, agent: str, root: Path) -> Worker:
    """The worker of one agent, whose targets live below `root`."""
    return Worker(
        client,
        task_queue=task_queue(agent),
        activities=agent_activities(agent, root),
        interceptors=[LogInterceptor(), PluginCallsInterceptor(), ErrorInterceptor()],
        graceful_shutdown_timeout=GRACE,
    )


@asynccontextmanager
async def running_agents(
    ids: Sequence[str], *, settings: Settings, root: Path
) -> AsyncIterator[None]:
    """Agents that take tasks while the block runs. Each owns `root/<id>`.

    Raises:
        InputError: a setting cannot be used.
        UnreachableError: Temporal does not answer.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(opentelemetry_configured(settings))
        metrics = await stack.enter_async_context(exporting_metrics())
        client = await connect(settings, runtime=None if metrics is None else metrics.runtime)
        for agent in ids:
            home = root / agent
            home.mkdir(parents=True, exist_ok=True)
            await start_services(home)
            await stack.enter_async_context(build_agent(client, agent, home))
        yield


async def run_agents(
    ids: Sequence[str], *, settings: Settings, root: Path, stop_services_at_end: bool = False
) -> None:
    """Run agents until SIGINT or SIGTERM.

    The services on the targets go on when the agents end, unless `stop_services_at_end`: an agent
    that is updated must not take down what it looks after.
    """
    with stop_on_signals() as stopped:
        async with running_agents(ids, settings=settings, root=root):
            say_ready()
            for agent in ids:
                _log.info(
                    "takes tasks of agent %s",
                    agent,
                    extra=event(events.PROCESS_READY, {names.AGENT_NAME: agent}),
                )
            await stopped.wait()
            _log.info("stops", extra=event(events.PROCESS_STOPPING))
        if stop_services_at_end:
            for agent in ids:
                await stop_services(root / agent)
