"""Who may pass over a gate."""

from __future__ import annotations

from engine.errors import InputError
from engine.gates.freezes import STOP_THE_LINE
from engine.model.environment import Environment, Gate


def overridable(environment: Environment, user: str) -> dict[str, Gate]:
    """The environment's gates that `user` may pass over, by name."""
    return {
        gate.name: gate
        for gate in environment.gates
        if gate.override is not None and user in gate.override.people(environment.groups)
    }


def require(environment: Environment, name: str, user: str) -> Gate:
    """The gate called `name`, which `user` may pass over.

    Raises:
        InputError: there is no such gate (field `gate`), or they may not (field `user`).
    """
    known = {gate.name: gate for gate in environment.gates}
    gate = known.get(name)
    if gate is None and name == STOP_THE_LINE.name:
        raise InputError(
            "user",
            f"nobody may override {name!r} in {environment.name!r}",
            "give the environment a freeze_window gate whose `override` names who may",
        )
    if gate is None:
        names = ", ".join(known) or "none"
        raise InputError("gate", f"no gate is called {name!r}", f"gates: {names}")
    if gate.type == "approval" and gate.config.get("signed"):
        raise InputError(
            "gate", f"{name!r} wants signatures, which no word stands for", "have them given"
        )
    if name not in overridable(environment, user):
        people = () if gate.override is None else gate.override.people(environment.groups)
        who = f"{', '.join(sorted(people))} may" if people else "nobody may; see its `override`"
        raise InputError("user", f"{user!r} may not override the gate {name!r}", who)
    return gate


def check(environment: Environment, overrides: dict[str, str], user: str) -> None:
    """Do nothing when `user` may pass over all of these gates, for a reason each.

    Args:
        overrides: reasons by the gates' names.

    Raises:
        InputError: they may not; names `overrides.<gate>`.
    """
    for name, reason in overrides.items():
        field = f"overrides.{name}"
        if not reason.strip():
            raise InputError(field, "gives no reason", "say why, for the record")
        try:
            require(environment, name, user)
        except InputError as error:
            raise InputError(field, error.problem, error.remedy) from error
