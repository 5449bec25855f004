"""Values that a person writes in the open, or that stand for a secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

from pydantic import Discriminator, StringConstraints, Tag

from engine.model.base import Document

ResolveSecret = Callable[[str], Awaitable[str]]
"""Gives the secret that a reference stands for, or raises `InputError` without it."""

Reference = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]{0,62}:\S(.*\S)?$", max_length=1024)
]
"""`env:NAME`, `file:PATH`, or what a plugin resolves, `scheme:…`."""

HIDDEN = "***"


class SecretRef(Document):
    """`{secret: "env:NAME"}`: the secret is looked up where and when it is used.

    Attributes:
        secret: the reference to it.
    """

    secret: Reference


def _kind(given: object) -> str:
    return "reference" if isinstance(given, SecretRef | dict) else "text"


BY_KIND = Discriminator(_kind)
"""Tells a `TEXT` from a `REFERENCE`, so that what is wrong with one is said of that one only."""

TEXT, REFERENCE = Tag("text"), Tag("reference")

Given = Annotated[Annotated[str, TEXT] | Annotated[SecretRef, REFERENCE], BY_KIND]
"""A text, or where to find it."""


class Known:
    """The values of one call, and the secrets among them."""

    def __init__(self, resolve: ResolveSecret) -> None:
        self._resolve = resolve
        self._secrets: list[str] = []

    async def value(self, given: str | SecretRef) -> str:
        """What `given` stands for.

        Raises:
            InputError: there is no such secret.
        """
        if isinstance(given, str):
            return given
        return await self.secret(given.secret)

    async def secret(self, reference: str) -> str:
        """The secret that `reference` stands for.

        Raises:
            InputError: there is none.
        """
        found = await self._resolve(reference)
        self._secrets.append(found)
        return found

    @property
    def longest(self) -> int:
        """Bytes of the longest secret."""
        return max((len(each.encode()) for each in self._secrets), default=0)

    def hidden(self, data: bytes) -> bytes:
        """`data` without the secrets, which whoever was given them may have written into it."""
        return _hidden(data, self._secrets)


def _hidden(data: bytes, secrets: Iterable[str]) -> bytes:
    # A longer one first: it may hold a shorter one.
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            data = data.replace(secret.encode(), HIDDEN.encode())
    return data
