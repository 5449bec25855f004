"""Signed approvals in an environment file: that they can be given, and are not passed over."""

from __future__ import annotations

from pydantic import ValidationError

from engine.approvals.keys import public_key
from engine.documents.checker import Checker
from engine.documents.source import Location
from engine.errors import InputError
from engine.gates.approval import ApprovalGate
from engine.model.environment import EnvironmentFile, Gate
from engine.model.gate_config import ApprovalConfig
from engine.model.quorum import count


def check_signing(checker: Checker, document: EnvironmentFile) -> None:
    """Note what is wrong with keys that several people have, and with gates that ask for keys."""
    _check_owners(checker, document)
    for place, environment in enumerate(document.environments):
        for index, gate in enumerate(environment.gates):
            if gate.type == ApprovalGate.type:
                _check_gate(checker, document, gate, ("environments", place, "gates", index))


def _check_owners(checker: Checker, document: EnvironmentFile) -> None:
    owners: dict[str, str] = {}
    for user, keys in document.keys.items():
        for index, each in enumerate(keys):
            try:
                key_id = public_key(each.public_key).keyid
            except InputError:
                # Told where the keys themselves are checked.
                continue
            owner = owners.setdefault(key_id, user)
            if owner != user:
                problem = f"is the key of {owner!r} as well, who could vote twice with it"
                remedy = "give each person a key of their own"
                checker.add(("keys", user, index, "public_key"), problem, remedy)


def _check_gate(
    checker: Checker, document: EnvironmentFile, gate: Gate, location: Location
) -> None:
    try:
        config = ApprovalConfig.model_validate(gate.config)
    except ValidationError:
        # Told where the gate is held against its model.
        return
    if not config.signed:
        return
    if gate.override is not None:
        problem = "passes over signed approvals by a word that nobody signs"
        checker.add((*location, "override"), problem, "remove it, or `signed`")
    if gate.on_error == "allow":
        problem = "lets a release go without the signatures when the gate breaks"
        checker.add((*location, "on_error"), problem, "remove it, or `signed`")
    able = {user for user, keys in document.keys.items() if keys}
    able |= {each.giver for each in document.delegations if each.to in able}
    voters = sorted(able.intersection(config.people(document.groups)))
    possible = count(config.seats(document.groups), voters).total
    required = sum(quorum.required for quorum in config.all_quorums)
    if possible < required:
        who = f" ({', '.join(voters)})" if voters else ""
        problem = (
            f"{required} signed approvals are required, but only {possible} of the people who may "
            f"give them{who} have a key"
        )
        remedy = "register more under `keys`; `promote keys new` makes them"
        checker.add((*location, "config", "signed"), problem, remedy)
