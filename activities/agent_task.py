"""The activities of an agent: carry out one task by the target's driver."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from temporalio import activity

from activities.attempts import AttemptLog, plain
from activities.errors import to_application_error
from activities.plugin_calls import current_calls
from engine.drivers.protocol import DriverContext, Outcome
from engine.drivers.registry import get as get_driver
from engine.errors import DriverError, PromotionEngineError
from engine.model.agent_task import AgentTask, TaskReport
from engine.model.failure import Failure
from engine.model.verdict import AttributeValue
from engine.telemetry import events, names
from engine.telemetry.events import event

_log = logging.getLogger(__name__)

_Work = Callable[[AgentTask, DriverContext], Awaitable[Outcome]]


class AgentTaskActivities:
    """The task types of one agent.

    Args:
        agent: the agent's name; tasks for another one are refused.
        root: the directory that this agent owns.
    """

    def __init__(self, agent: str, root: Path) -> None:
        self._agent = agent
        self._root = root

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
        log = AttemptLog()
        what = f"{task.type.value} of {task.component.name} on {task.target.name}"
        _log.debug("%s starts", what, extra=event(events.TASK_STARTED, _about(task)))
        context = DriverContext(
            root=self._root, heartbeat=log.heartbeat, called=log.called, plugins=current_calls()
        )
        try:
            self._check(task)
            outcome = await work(task, context)
        except PromotionEngineError as error:
            failed = log.failed(Failure(type=type(error).__name__, message=str(error)))
            details = {"attempt": log.number, "attempts": plain(failed)}
            raise to_application_error(error, details) from error
        except Exception as error:
            log.failed(Failure(type=type(error).__name__, message=str(error)))
            raise
        _log.info(
            "%s succeeded%s",
            what,
            f": {outcome.detail}" if outcome.detail else "",
            extra=event(events.TASK_ENDED, {**_about(task), events.TASK_CHANGED: outcome.changed}),
        )
        return TaskReport(
            task_id=task.id,
            started_at=log.started_at,
            ended_at=datetime.now(UTC),
            attempt=log.number,
            earlier=log.earlier,
            calls=log.calls,
            changed=outcome.changed,
            before=outcome.before,
            after=outcome.after,
            detail=outcome.detail,
        )

    def _check(self, task: AgentTask) -> None:
        if task.target.agent != self._agent:
            raise DriverError(
                f"target {task.target.name!r} belongs to agent {task.target.agent!r}, "
                f"not to {self._agent!r}",
                retryable=False,
            )


def _about(task: AgentTask) -> dict[str, AttributeValue | None]:
    return {
        names.TASK_ID: str(task.id),
        names.TASK_TYPE: task.type.value,
        names.AGENT_NAME: task.target.agent,
        names.TARGET_NAME: task.target.name,
        names.TENANT_ID: str(task.tenant_id),
    }
