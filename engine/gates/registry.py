"""Which types of gate there are: the built-in ones, and those of installed plugins.

A plugin is a Python distribution with an entry point in the group `promotion_engine.gates`, whose
name is the gate's type and whose object is a `GateType`, or a class that makes one without
arguments (https://packaging.python.org/en/latest/specifications/entry-points/). A built-in type
cannot be replaced.
"""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from engine.errors import InputError
from engine.gates.approval import ApprovalGate
from engine.gates.configuration import checked
from engine.gates.freeze_window import FreezeWindowGate
from engine.gates.protocol import GateType
from engine.gates.security import SecurityGate
from engine.model.base import Document
from engine.model.environment import Gate
from engine.model.gate_config import Groups

ENTRY_POINT_GROUP = "promotion_engine.gates"

_BUILT_IN: dict[str, GateType] = {
    gate.type: gate for gate in (ApprovalGate(), FreezeWindowGate(), SecurityGate())
}


def names() -> tuple[str, ...]:
    """All known types, sorted. No plugin is imported for it."""
    return tuple(sorted(_BUILT_IN.keys() | entry_points(group=ENTRY_POINT_GROUP).names))


def get(type: str) -> GateType:
    """The gate type called `type`.

    Raises:
        InputError: there is none, or the plugin that offers it is unusable.
    """
    built_in = _BUILT_IN.get(type)
    if built_in is not None:
        return built_in
    offers = tuple(entry_points(group=ENTRY_POINT_GROUP, name=type))
    match offers:
        case ():
            raise InputError("type", f"no gate type is called {type!r}", _known())
        case (offer,):
            return _load(offer)
        case _:
            sources = " and ".join(sorted(_origin(offer) for offer in offers))
            raise InputError("type", f"{sources} both offer a gate type {type!r}", "remove one")


def check(gate: Gate, groups: Groups) -> None:
    """Hold a gate of an environment file against its type.

    Args:
        groups: the people by group of the environment that the gate belongs to.

    Raises:
        InputError: the type is unknown, or the configuration does not fit it; names
            `gates.<name>.type` or `gates.<name>.config.<path>`.
    """
    try:
        gate_type = get(gate.type)
    except InputError as error:
        field = f"gates.{gate.name or gate.type}.type"
        raise InputError(field, error.problem, error.remedy) from error
    checked(gate, gate_type.config, groups)


def _known() -> str:
    return f"known types: {', '.join(names())}"


def _origin(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist is not None else offer.value


def _load(offer: EntryPoint) -> GateType:
    try:
        loaded = offer.load()
        instance = loaded() if inspect.isclass(loaded) else loaded
    except Exception as error:
        raise _unusable(offer, f"{type(error).__name__}: {error}") from error
    if getattr(instance, "type", None) != offer.name:
        raise _unusable(offer, f"its `type` is not {offer.name!r}")
    config = getattr(instance, "config", None)
    if not (inspect.isclass(config) and issubclass(config, Document)):
        raise _unusable(offer, "its `config` is no subclass of engine.model.base.Document")
    if not inspect.iscoroutinefunction(getattr(instance, "evaluate", None)):
        raise _unusable(offer, "its `evaluate` is no async method")
    return cast("GateType", instance)


def _unusable(offer: EntryPoint, problem: str) -> InputError:
    return InputError(
        "type",
        f"the gate type {offer.name!r} of {_origin(offer)} cannot be used: {problem}",
        "correct or uninstall that plugin",
    )
