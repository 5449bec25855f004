"""The limits of a list."""

from __future__ import annotations

from engine.errors import InputError

MAXIMUM = 1000
"""Rows that one call returns at most."""


def check_page(limit: int, offset: int) -> None:
    """Do nothing when `limit` and `offset` are usable.

    Raises:
        InputError: one is not.
    """
    if not 1 <= limit <= MAXIMUM:
        raise InputError("limit", f"is {limit}", f"give 1 to {MAXIMUM}")
    if offset < 0:
        raise InputError("offset", f"is {offset}", "give 0 or more")
