"""Reading a gate's `config:` by its type's model."""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from engine.errors import GateError, InputError
from engine.model.base import Document
from engine.model.environment import Gate
from engine.model.gate_config import Groups
from engine.model.problem import merged, problems_of

ConfigT = TypeVar("ConfigT", bound=Document)


def gate_name(gate: Gate) -> str:
    """What a gate is called: its name, or its type where it was given none."""
    return gate.name or gate.type


def checked(gate: Gate, model: type[ConfigT], groups: Groups) -> ConfigT:
    """The configuration of a gate that somebody wants to apply.

    Args:
        groups: the environment's; models find them in the validation context as `groups`.

    Raises:
        InputError: it does not fit the model; names `gates.<name>.config.<path>`.
    """
    prefix = f"gates.{gate_name(gate)}.config"
    try:
        return model.model_validate(gate.config, context={"groups": groups})
    except ValidationError as error:
        raise InputError(*merged(prefix, problems_of(error, gate.config, prefix))) from error


def applied(gate: Gate, model: type[ConfigT]) -> ConfigT:
    """The configuration of a gate that was checked when it was applied.

    Raises:
        GateError: it does not fit the model after all.
    """
    prefix = f"gates.{gate_name(gate)}.config"
    try:
        return model.model_validate(gate.config)
    except ValidationError as error:
        problem = merged(prefix, problems_of(error, gate.config, prefix))
        raise GateError(f"{problem.field}: {problem.problem}") from error
