"""`promote worker`."""

from __future__ import annotations

import asyncio

from engine.cli.logs import log_to_stderr


def worker() -> None:
    """Run a worker: it carries promotions out. Run as many as you like.

    Ctrl-C or SIGTERM lets it finish its current work and stops it.
    """
    from engine.config import load_settings
    from engine.worker import run_worker

    log_to_stderr()
    asyncio.run(run_worker(load_settings()))
