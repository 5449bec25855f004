"""Logs of the long-running commands."""

from __future__ import annotations

import logging
import sys


def log_to_stderr() -> None:
    """Write log records from warnings on to standard error."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
