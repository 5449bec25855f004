"""The agent: a Temporal worker beside its targets, which needs no port that others can reach."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from activities.errors import ErrorInterceptor
from activities.registry import agent_activities
from engine.config import Settings
from engine.drivers.directory.supervision import start_services, stop_services
from engine.processes import say_ready, stop_on_signals
from engine.temporal import connect

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
        interceptors=[ErrorInterceptor()],
        graceful_shutdown_timeout=GRACE,
    )


@asynccontextmanager
async def running_agents(
    ids: Sequence[str], *, settings: Settings, root: Path
) -> AsyncIterator[None]:
    """Agents that take tasks while the block runs. Each owns `root/<id>`.

    Raises:
        UnreachableError: Temporal does not answer.
    """
    client = await connect(settings)
    async with AsyncExitStack() as stack:
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
            await stopped.wait()
        if stop_services_at_end:
            for agent in ids:
                await stop_services(root / agent)
