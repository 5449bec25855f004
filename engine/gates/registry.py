"""Which types of gate there are. The type `plugin` stands for all that plugins offer."""

from __future__ import annotations

from engine.errors import InputError
from engine.gates.approval import ApprovalGate
from engine.gates.command import CommandGate
from engine.gates.configuration import checked
from engine.gates.freeze_window import FreezeWindowGate
from engine.gates.http import HttpGate
from engine.gates.metric import MetricGate
from engine.gates.plugin import PluginGate, check_use
from engine.gates.policy import PolicyGate
from engine.gates.previous_environment import PreviousEnvironmentGate
from engine.gates.protocol import GateType
from engine.gates.security import SecurityGate
from engine.model.environment import Gate
from engine.model.gate_config import Groups
from engine.plugins.use import PluginUse

_BUILT_IN: dict[str, GateType] = {
    gate.type: gate
    for gate in (
        ApprovalGate(),
        CommandGate(),
        FreezeWindowGate(),
        HttpGate(),
        MetricGate(),
        PluginGate(),
        PolicyGate(),
        PreviousEnvironmentGate(),
        SecurityGate(),
    )
}


def names() -> tuple[str, ...]:
    """All known types, sorted."""
    return tuple(sorted(_BUILT_IN))


def get(type: str) -> GateType:
    """The gate type called `type`.

    Raises:
        InputError: there is none.
    """
    try:
        return _BUILT_IN[type]
    except KeyError:
        known = f"known types: {', '.join(names())}"
        raise InputError("type", f"no gate type is called {type!r}", known) from None


def check(gate: Gate, groups: Groups) -> None:
    """Hold a gate of an environment file against its type.

    Args:
        groups: the people by group of the environment that the gate belongs to.

    Raises:
        InputError: the type is unknown, or the configuration does not fit it, or the plugin that it
            names; names `gates.<name>.type` or `gates.<name>.config.<path>`.
    """
    try:
        gate_type = get(gate.type)
    except InputError as error:
        field = f"gates.{gate.name or gate.type}.type"
        raise InputError(field, error.problem, error.remedy) from error
    config = checked(gate, gate_type.config, groups)
    if isinstance(config, PluginUse):
        check_use(gate, config)
