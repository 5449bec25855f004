"""The node type `wait`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, Self, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator

from engine.model.base import Document, Duration, Name, Timestamp
from engine.model.gate_config import LONGEST_WAIT, Groups


class Advancers(Document):
    """Who may let a waiting step go on; nobody named means anybody.

    Attributes:
        groups: names of the environment's groups.
        users: people besides.
    """

    groups: tuple[Name, ...] = ()
    users: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    def people(self, groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
        """Everybody who may, sorted; empty for anybody."""
        members = {member for name in self.groups for member in groups.get(name, ())}
        return tuple(sorted(members | set(self.users)))

    @field_validator("groups")
    @classmethod
    def _groups_have_members(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        context = cast("Mapping[str, Groups] | None", info.context)
        groups = None if context is None else context.get("groups")
        if groups is None:
            return names
        empty = [name for name in names if not groups.get(name)]
        if empty:
            known = ", ".join(sorted(name for name in groups if groups[name])) or "none"
            raise ValueError(f"no group called {', '.join(empty)} has members; groups: {known}")
        return names


class WaitInputs(Document):
    """What a wait step takes; of several ends the first to come counts.

    Attributes:
        duration: how long, from the step's start.
        until: a moment; one that has passed is no wait.
        advance: that a person may end the waiting by `promote advance`, and who; `true` for
            anybody.
        reason: what it waits for, for whoever looks.
    """

    duration: Duration | None = Field(default=None, gt=timedelta(0), le=LONGEST_WAIT)
    until: Timestamp | None = None
    advance: Advancers | None = None
    reason: str = Field(default="", max_length=500)

    @field_validator("advance", mode="before")
    @classmethod
    def _anybody(cls, given: object) -> object:
        if isinstance(given, bool):
            return {} if given else None
        return given

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.duration is None and self.until is None and self.advance is None:
            raise ValueError("would never end; give duration, until or advance")
        return self


class Wait:
    """Waits, without a worker: for a time, until a moment, or for a person.

    Puts out `ended_by`: `time`, or the name of the person who let it go on.
    """

    inputs: ClassVar[type[Document]] = WaitInputs
    type: ClassVar[str] = "wait"
