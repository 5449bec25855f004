"""Standard output is for results, standard error for messages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console, RenderableType

_PLAIN_WIDTH = 160
"""Columns where nothing is a terminal, so that a log or a pipe gets whole ids on one line."""


def say(message: str) -> None:
    """Write a line for people to standard error."""
    typer.echo(message, err=True)


def out(text: str) -> None:
    """Write a line of the result to standard output."""
    typer.echo(text)


def out_json(
    value: BaseModel | Sequence[BaseModel] | Sequence[dict[str, object]] | dict[str, object],
    *,
    line: bool = False,
) -> None:
    """Write the result as JSON, indented, or on one line."""
    out(json.dumps(_plain(value), indent=None if line else 2, ensure_ascii=False))


def _plain(value: object) -> object:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def render(renderable: RenderableType) -> None:
    """Write something drawn by Rich to standard output."""
    console = stdout_console()
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as drawn:
        console.print(renderable)
    # Rich fills its lines up with blanks, which are of no use in a file or a pipe.
    for line in drawn.get().splitlines():
        out(line.rstrip())


def stdout_console() -> Console:
    """A console on standard output; a terminal's own width, else a fixed one."""
    from rich.console import Console

    fixed = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PLAIN_WIDTH
    return Console(width=fixed, highlight=False)


def is_live() -> bool:
    """Whether somebody watches a terminal that can be drawn on, and not a CI job's log."""
    return sys.stdout.isatty() and not os.environ.get("CI")
