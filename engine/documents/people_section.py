"""The people of an environment file: their groups, their keys, and who votes for whom."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from engine.documents.checker import Checker
from engine.documents.source import Location
from engine.model.environment import EnvironmentFile

_PUBLIC_KEY = "paste the public key in PEM form: -----BEGIN PUBLIC KEY-----, …"


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
    # The message never repeats the text: it may be a private key.
    if "PRIVATE KEY-----" in text:
        problem = "is a private key, which belongs to its owner alone"
        checker.add(location, problem, f"make a new pair, and {_PUBLIC_KEY}")
        return
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        checker.add(location, "is no public key in PEM form", _PUBLIC_KEY)
        return
    is_p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    if not is_p256 and not isinstance(key, ed25519.Ed25519PublicKey):
        problem = "is neither an ECDSA P-256 nor an Ed25519 key"
        checker.add(location, problem, "make one with: openssl genpkey -algorithm ed25519")
