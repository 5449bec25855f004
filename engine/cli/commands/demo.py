"""`promote demo`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.console import out


def demo(
    examples: Annotated[
        Path,
        typer.Option("--examples", metavar="DIR", help="Directory with the example files."),
    ] = Path("examples"),
) -> None:
    """Show one whole promotion, allowed and denied, on this machine, and clean up."""
    from engine.cli.demo.play import run_demo
    from engine.config import load_settings

    raise typer.Exit(asyncio.run(run_demo(load_settings(), examples, out)))
