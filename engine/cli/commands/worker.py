"""`promote worker`."""

from __future__ import annotations

import asyncio

from engine.cli.logs import (
    LogFormatOption,
    LogLevelOption,
    log_to_stderr,
    with_log_options,
)


def worker(log_format: LogFormatOption = "", log_level: LogLevelOption = "") -> None:
    """Run a worker: it carries promotions out. Run as many as you like.

    Ctrl-C or SIGTERM lets it finish its current work and stops it.
    """
    from engine.config import load_settings
    from engine.worker import run_worker

    settings = with_log_options(load_settings(), log_format, log_level)
    log_to_stderr(settings)
    asyncio.run(run_worker(settings))
