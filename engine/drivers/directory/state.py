"""What a target remembers between tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pydantic import ValidationError

from engine.drivers.directory.durable import write_atomically
from engine.drivers.directory.layout import TargetDirectory
from engine.errors import DriverError
from engine.model.agent_task import RunningVersion
from engine.model.base import Digest, Timestamp, Value

ValueT = TypeVar("ValueT", bound=Value)


class Switch(Value):
    """One switch of the active release, as intended."""

    task_id: UUID
    promotion_id: UUID
    to: RunningVersion
    from_digest: Digest | None
    at: Timestamp


class DeployMemory(Value):
    """What the target ran before the last deploy task touched it, for that task's later tries."""

    task_id: UUID
    before: RunningVersion | None


class TargetState(Value):
    """A target's state.

    Attributes:
        running: what the active release is.
        previous: what was active before it.
        pending: a switch that is intended and perhaps done, but not in the journal for sure.
        restart_due: the active release was switched and nothing was restarted for it yet.
    """

    running: RunningVersion | None = None
    previous: RunningVersion | None = None
    deploy: DeployMemory | None = None
    pending: Switch | None = None
    restart_due: bool = False


def load_state(directory: TargetDirectory) -> TargetState:
    """The target's state; an empty one when it has none yet."""
    return load_value(directory.state, TargetState) or TargetState()


def save_state(directory: TargetDirectory, state: TargetState) -> TargetState:
    """Keep `state`; returns it once it is on disk."""
    save_value(directory.state, state)
    return state


def load_value(path: Path, model: type[ValueT]) -> ValueT | None:
    """The value that `path` holds; None when there is no such file.

    Raises:
        DriverError: the file holds something else.
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise DriverError(
            f"{path} is damaged: {error.errors(include_input=False)[0]['msg']}; "
            "restore it, or remove the target's directory and deploy again",
            retryable=False,
        ) from error


def save_value(path: Path, value: Value, *, mode: int = 0o644) -> None:
    """Write `value` as JSON, whole or not at all."""
    write_atomically(path, value.model_dump_json(indent=2).encode() + b"\n", mode=mode)
