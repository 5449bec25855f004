"""The people of an environment file: their groups, their keys, and who votes for whom."""

from __future__ import annotations

from engine.approvals.keys import public_key
from engine.documents.checker import Checker
from engine.documents.source import Location
from engine.errors import InputError
from engine.model.environment import EnvironmentFile


def check_people(checker: Checker, document: EnvironmentFile) -> None:
    """Note what is wrong with groups, keys and delegations."""
    for group, members in document.groups.items():
        for index, member in enumerate(members):
            if not member.strip():
                problem = "is the empty name"
                checker.add(("groups", group, index), problem, "name a person, or remove it")
    for user, keys in document.keys.items():
        if not user.strip():
            checker.add(("keys", user), "is the empty name", "name the person whose keys these are")
        if not keys:
            checker.add(("keys", user), "has no key", "give one, or remove the person")
        for index, key in enumerate(keys):
            _check_key(checker, key.public_key, ("keys", user, index, "public_key"))
    for position, each in enumerate(document.delegations):
        location = ("delegations", position)
        for side, name in (("from", each.giver), ("to", each.to)):
            if not name.strip():
                checker.add((*location, side), "is the empty name", "name a person")
        if each.giver == each.to:
            problem = f"gives the vote of {each.giver!r} to themselves"
            checker.add((*location, "to"), problem, "name another person, or remove it")


def _check_key(checker: Checker, text: str, location: Location) -> None:
    try:
        public_key(text)
    except InputError as error:
        checker.add(location, error.problem, error.remedy)
