"""What a driver is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from engine.model.agent_task import AgentTask, RunningVersion
from engine.model.base import Document
from engine.model.verdict import AttributeValue
from engine.plugins.calls import Calls, Unrecorded

Called = Callable[[Mapping[str, AttributeValue]], None]
"""Takes the attributes of one call over the network."""


def unheard(attributes: Mapping[str, AttributeValue]) -> None:
    """Take note of nothing."""


@dataclass(frozen=True)
class DriverContext:
    """What an agent gives to its drivers.

    Attributes:
        root: the directory that this agent owns; a target's state lives in `root/<target name>`.
        heartbeat: to be called at least every few seconds during long work.
        called: takes each call over the network that the driver made for the task, in the
            attributes of `engine.drivers.calls`; they become part of the task's span.
        plugins: takes note of the plugins that the driver calls.
    """

    root: Path
    heartbeat: Callable[[], None]
    called: Called = unheard
    plugins: Calls = field(default_factory=Unrecorded)


@dataclass(frozen=True)
class Outcome:
    """What one piece of work came to.

    Attributes:
        changed: False when the target was already as wanted.
        before, after: what the target ran before and after; None when nothing.
    """

    changed: bool
    before: RunningVersion | None = None
    after: RunningVersion | None = None
    detail: str = ""


class Driver(Protocol):
    """One way to change a target. Every method is idempotent and may be cut off at any point.

    Attributes:
        name: the name in `driver:` of an environment file.
        config: the model of a target's `config:`.
    """

    name: ClassVar[str]
    config: ClassVar[type[Document]]

    async def pull(self, task: AgentTask, context: DriverContext) -> Outcome:
        """Bring the component's bytes to the host and verify their digest.

        Raises:
            DriverError, DigestMismatchError.
        """
        ...

    async def deploy(self, task: AgentTask, context: DriverContext) -> Outcome:
        """Make the target run the pulled component.

        Raises:
            DriverError.
        """
        ...

    async def health_check(self, task: AgentTask, context: DriverContext) -> Outcome:
        """Wait until the target is healthy.

        Raises:
            HealthCheckError: it did not become healthy in the configured time.
        """
        ...
