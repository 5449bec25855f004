"""Text of others, made fit to stand in a reason that people read."""

from __future__ import annotations

from textwrap import shorten

MAX_CHARACTERS = 500


def in_one_line(text: str) -> str:
    """`text` on one line, without what does not print, at most `MAX_CHARACTERS`."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return shorten(printable, width=MAX_CHARACTERS, placeholder=" …")


def first_line(text: str) -> str:
    """The first line that says something."""
    return next((in_one_line(line) for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((in_one_line(line) for line in reversed(text.splitlines()) if line.strip()), "")
