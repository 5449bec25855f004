"""What the `directory` driver takes as a target's `config:`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, model_validator

from engine.model.base import Document, Duration

OWN_VARIABLES = frozenset(
    {"PROMOTE_RELEASE", "PROMOTE_COMPONENT", "PROMOTE_DIGEST", "PROMOTE_TARGET"}
)
"""The environment variables that the driver sets for what it starts."""


def _check_argument(argument: str) -> str:
    if "\0" in argument:
        raise ValueError("must not contain a NUL character")
    return argument


def _check_variable(name: str) -> str:
    if name in OWN_VARIABLES:
        raise ValueError(f"{name} is set by the driver; choose another name")
    return name


def _check_positive(duration: timedelta) -> timedelta:
    if duration <= timedelta(0):
        raise ValueError("must be longer than nothing; write for example 30s")
    return duration


Argument = Annotated[str, AfterValidator(_check_argument)]
Command = Annotated[tuple[Argument, ...], Field(min_length=1)]
"""A program and its arguments; no shell sees them."""

VariableName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_check_variable)
]
PositiveDuration = Annotated[Duration, AfterValidator(_check_positive)]


class ServiceConfig(Document):
    """A long-running process that the agent supervises.

    Attributes:
        command: run with the active release as its working directory.
        environment: added to the few variables that the process inherits from the agent.
    """

    command: Command
    environment: dict[VariableName, Argument] = Field(default_factory=dict)


class HealthConfig(Document):
    """What a healthy target answers.

    Attributes:
        timeout: how long to wait for the first good answer.
        interval: pause between two tries.
        expect_body_contains: text that a good answer holds.
    """

    url: HttpUrl
    timeout: PositiveDuration = timedelta(seconds=30)
    interval: PositiveDuration = timedelta(milliseconds=500)
    expect_status: int = Field(default=200, ge=100, le=599)
    expect_body_contains: str | None = Field(default=None, min_length=1)


class DirectoryConfig(Document):
    """A target's `config:`.

    Attributes:
        restart_command: run once after each switch, for a service that something else supervises,
            for example `[systemctl, restart, web]`.
        keep_releases: unpacked releases to keep, the active one included. The one before it is
            kept in any case.
    """

    service: ServiceConfig | None = None
    restart_command: Command | None = None
    health: HealthConfig | None = None
    keep_releases: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _one_way_to_restart(self) -> Self:
        if self.service is not None and self.restart_command is not None:
            raise ValueError("give either service or restart_command, not both")
        return self
