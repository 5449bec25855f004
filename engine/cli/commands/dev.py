"""`promote dev`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.console import out


def dev(
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Environment file to apply first; its agents are run.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also show what the processes print.")
    ] = False,
) -> None:
    """Run the whole system here: Temporal server with UI, worker and agents.

    Ctrl-C stops all of it. Its state stays in .promote/ (PROMOTE_HOME), and promotions go on when
    it starts again.
    """
    from engine.config import load_settings
    from engine.embedded.dev import run_dev

    asyncio.run(run_dev(settings=load_settings(), environment_file=file, report=out, echo=verbose))
