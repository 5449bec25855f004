"""The activities of an agent: carry out one task by the target's driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from temporalio import activity

from activities.errors import to_application_error
from engine.drivers.protocol import DriverContext, Outcome
from engine.drivers.registry import get as get_driver
from engine.errors import DriverError, PromotionEngineError
from engine.model.agent_task import AgentTask, TaskReport

_Work = Callable[[AgentTask, DriverContext], Awaitable[Outcome]]


class AgentTaskActivities:
    """The task types of one agent.

    Args:
        agent: the agent's name; tasks for another one are refused.
        root: the directory that this agent owns.
    """

    def __init__(self, agent: str, root: Path) -> None:
        self._agent = agent
        self._context = DriverContext(root=root, heartbeat=activity.heartbeat)

    @activity.defn(name="agent.task.pull")
    async def pull(self, task: AgentTask) -> TaskReport:
        """Bring the component's bytes to the target and verify them."""
        return await self._carry_out(task, get_driver(task.target.driver).pull)

    @activity.defn(name="agent.task.deploy")
    async def deploy(self, task: AgentTask) -> TaskReport:
        """Make the target run the component."""
        return await self._carry_out(task, get_driver(task.target.driver).deploy)

    @activity.defn(name="agent.task.health_check")
    async def health_check(self, task: AgentTask) -> TaskReport:
        """Wait until the target is healthy."""
        return await self._carry_out(task, get_driver(task.target.driver).health_check)

    async def _carry_out(self, task: AgentTask, work: _Work) -> TaskReport:
        started_at = datetime.now(UTC)
        attempt = activity.info().attempt
        try:
            if task.target.agent != self._agent:
                raise DriverError(
                    f"target {task.target.name!r} belongs to agent {task.target.agent!r}, "
                    f"not to {self._agent!r}",
                    retryable=False,
                )
            outcome = await work(task, self._context)
        except PromotionEngineError as error:
            raise to_application_error(error, {"attempt": attempt}) from error
        return TaskReport(
            task_id=task.id,
            started_at=started_at,
            ended_at=datetime.now(UTC),
            attempt=attempt,
            changed=outcome.changed,
            before=outcome.before,
            after=outcome.after,
            detail=outcome.detail,
        )
