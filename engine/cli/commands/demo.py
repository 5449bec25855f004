"""`promote demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.console import out
from engine.cli.running import run


def demo(
    examples: Annotated[
        Path,
        typer.Option("--examples", metavar="DIR", help="Directory with the example files."),
    ] = Path("examples"),
) -> None:
    """Show one whole promotion, allowed and denied, on this machine, and clean up."""
    from engine.cli.demo.play import run_demo
    from engine.config import load_settings

    raise typer.Exit(run(run_demo(load_settings(), examples, out)))
