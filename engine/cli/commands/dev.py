"""`promote dev`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.console import out
from engine.cli.logs import LogFormatOption, LogLevelOption, with_log_options


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
    log_format: LogFormatOption = "",
    log_level: LogLevelOption = "",
) -> None:
    """Run the whole system here: Temporal server with UI, worker and agents.

    Ctrl-C stops all of it. Its state stays in .promote/ (PROMOTE_HOME), and promotions go on when
    it starts again.
    """
    from engine.config import load_settings
    from engine.embedded.dev import run_dev

    settings = with_log_options(load_settings(), log_format, log_level)
    asyncio.run(run_dev(settings=settings, environment_file=file, report=out, echo=verbose))
