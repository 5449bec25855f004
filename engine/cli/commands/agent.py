"""`promote agent`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.logs import (
    LogFormatOption,
    LogLevelOption,
    log_to_stderr,
    with_log_options,
)


def agent(
    ids: Annotated[
        list[str],
        typer.Option("--id", metavar="AGENT", help="The agent's name; may be given repeatedly."),
    ],
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            metavar="DIR",
            help="Where the agents keep their targets, each in DIR/AGENT; "
            "agents/ in PROMOTE_HOME by default.",
        ),
    ] = None,
    stop_services: Annotated[
        bool,
        typer.Option(
            "--stop-services", help="Also stop the services of the targets when the agent ends."
        ),
    ] = False,
    log_format: LogFormatOption = "",
    log_level: LogLevelOption = "",
) -> None:
    """Run agents: each changes the targets beside it, and needs no port that others can reach."""
    from engine.agent import run_agents
    from engine.config import load_settings

    settings = with_log_options(load_settings(), log_format, log_level)
    log_to_stderr(settings)
    asyncio.run(
        run_agents(
            [_checked(name) for name in ids],
            settings=settings,
            root=root or settings.home.absolute() / "agents",
            stop_services_at_end=stop_services,
        )
    )


def _checked(name: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from engine.errors import InputError
    from engine.model.base import Name

    try:
        return TypeAdapter[str](Name).validate_python(name)
    except ValidationError as error:
        raise InputError(
            "--id", f"{name!r} is no name", "use lower-case letters, digits, '.', '_' and '-'"
        ) from error
