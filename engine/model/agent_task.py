"""What an agent is asked to do, and what it reports."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from engine.model.base import Digest, Duration, Name, Timestamp, Value
from engine.model.environment import Target
from engine.model.failure import Failure
from engine.model.plugin_call import PluginCall
from engine.model.release import Component
from engine.model.verdict import AttributeValue


class TaskType(StrEnum):
    """The kinds of work that an agent does on a target."""

    PULL = "pull"
    DEPLOY = "deploy"
    HEALTH_CHECK = "health_check"


class AgentTask(Value):
    """One kind of work on one target for one component. Its id is derived, so it is stable."""

    id: UUID
    type: TaskType
    job_id: UUID
    promotion_id: UUID
    tenant_id: UUID
    release: str = Field(description="name@version")
    component: Component
    target: Target
    timeout: Duration


class RunningVersion(Value):
    """What a target runs."""

    release: str
    component: Name
    digest: Digest


class TaskAttempt(Value):
    """An attempt of a task that did not succeed, as a later one tells it.

    Attributes:
        number: 1 for the first.
        started_at: the agent's clock.
        ended_at: its end, or the last sign of life of an agent that gave no word of the end.
        failure: None where there was no such word.
        calls: see `TaskReport.calls`.
    """

    number: int = Field(ge=1)
    started_at: Timestamp
    ended_at: Timestamp
    failure: Failure | None = None
    calls: dict[str, AttributeValue] = Field(default_factory=dict)


class TaskReport(Value):
    """What the agent says about a task that it carried out.

    Attributes:
        started_at, ended_at: the agent's clock, of the attempt that succeeded.
        attempt: 1 for the first.
        earlier: the attempts before it.
        calls: the last call over the network that the driver made for it, in the attributes of
            OpenTelemetry's conventions (`server.address`, `http.response.status_code` and so on).
        changed: False when the target was already as wanted.
        before, after: what the target ran before and after the task; None when nothing.
        plugin_calls: the calls of plugins that were made for it, by all attempts.
    """

    task_id: UUID
    started_at: Timestamp
    ended_at: Timestamp
    attempt: int = Field(ge=1)
    earlier: tuple[TaskAttempt, ...] = ()
    calls: dict[str, AttributeValue] = Field(default_factory=dict)
    changed: bool
    before: RunningVersion | None = None
    after: RunningVersion | None = None
    detail: str = ""
    plugin_calls: tuple[PluginCall, ...] = ()


class TaskStatus(StrEnum):
    """Where a task stands."""

    ASSIGNED = "assigned"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class TaskResult(Value):
    """The end of a task as the deployment saw it."""

    task_id: UUID
    type: TaskType
    target: Name
    target_id: UUID
    agent: Name
    agent_id: UUID
    component: Name
    status: TaskStatus
    attempt: int = 1
    changed: bool = False
    before: RunningVersion | None = None
    after: RunningVersion | None = None
    failure: Failure | None = None
    started_at: Timestamp
    ended_at: Timestamp
