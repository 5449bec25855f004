"""Expressions within text: `${{ … }}`, and `$${{` for the characters themselves.

Where an expression ends is told by CEL's own lexical rules: braces that it opens it closes, and
neither text nor comments in it count.
https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from engine.errors import InputError
from engine.model.base import Json

_OPENING = "${{"
_TOKEN = re.compile(
    r"""
    (?P<raw>[bB]?[rR][bB]?(?:\"\"\"(?s:.*?)\"\"\"|'''(?s:.*?)'''|"[^"\n]*"|'[^'\n]*'))
    | (?P<text>\"\"\"(?s:(?:\\.|.)*?)\"\"\"|'''(?s:(?:\\.|.)*?)'''
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    | (?P<comment>//[^\n]*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<open>\{)
    | (?P<close>\})
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Part:
    """A piece of a text.

    Attributes:
        text: as it is to be taken: an expression without its braces, or text without its escapes.
        is_expression: which of the two it is.
        at: where in the whole text an expression begins, in characters; where a text begins.
    """

    text: str
    is_expression: bool
    at: int


def has_expressions(text: str) -> bool:
    """Whether the text holds anything that is not taken as it stands."""
    return _OPENING in text


def is_rendered_later(value: Json) -> bool:
    """Whether data holds expressions, so that its type is known only when they are evaluated.

    Raises:
        InputError: an expression is empty, or does not end.
    """
    if isinstance(value, str):
        return has_expressions(value) and any(part.is_expression for part in parts_of(value))
    if isinstance(value, list):
        return any(is_rendered_later(each) for each in value)
    return isinstance(value, dict) and any(is_rendered_later(each) for each in value.values())


@lru_cache(maxsize=4096)
def parts_of(text: str, field: str = "text") -> tuple[Part, ...]:
    """The text's pieces in their order, none of them empty text.

    Args:
        field: how an error names the place where the text stands.

    Raises:
        InputError: an expression is empty, or does not end.
    """
    parts: list[Part] = []
    plain, begin, position = "", 0, 0
    while (found := text.find(_OPENING, position)) >= 0:
        if found > 0 and text[found - 1] == "$":
            plain += text[position : found - 1] + _OPENING
            position = found + len(_OPENING)
            continue
        plain += text[position:found]
        if plain:
            parts.append(Part(plain, is_expression=False, at=begin))
        start = found + len(_OPENING)
        end = _end_of(text, start)
        if end is None:
            problem = f"{place(text, found)}: an expression begins here and does not end"
            raise InputError(field, problem, "close it with }}, or write $${{ for the characters")
        inner = text[start:end]
        if not inner.strip():
            problem = f"{place(text, found)}: an expression is empty"
            raise InputError(field, problem, "write one, such as ${{ release.version }}")
        indent = len(inner) - len(inner.lstrip())
        parts.append(Part(inner.strip(), is_expression=True, at=start + indent))
        plain, position = "", end + 2
        begin = position
    plain += text[position:]
    if plain:
        parts.append(Part(plain, is_expression=False, at=begin))
    return tuple(parts)


def place(text: str, at: int) -> str:
    """A position within a text for people: `line 1, column 5`, both counted from 1."""
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return f"line {line}, column {column}"


def _end_of(text: str, start: int) -> int | None:
    """Where the `}}` stands that closes the expression which begins at `start`."""
    depth, position = 0, start
    while position < len(text):
        if depth == 0 and text.startswith("}}", position):
            return position
        token = _TOKEN.match(text, position)
        if token is None:
            position += 1
            continue
        if token.lastgroup == "open":
            depth += 1
        elif token.lastgroup == "close":
            depth = max(depth - 1, 0)
        position = token.end()
    return None
