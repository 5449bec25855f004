"""Where errors become one line and an exit code; no stack trace goes further than this."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from engine.cli.console import say
from engine.errors import ExitCode, PromotionEngineError

INTERRUPTED = 128 + 2
"""What a shell reports for a process that SIGINT ended."""


def guarded(command: Callable[[], object]) -> int:
    """Run `command` and return the exit code of the process."""
    # Without a handler of its own Python prints the warnings of libraries to stderr, stack traces
    # included. Long-running commands set up a handler that does show them.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        command()
    except PromotionEngineError as error:
        say(f"promote: error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:
        # How Typer ends: with the code of a usage error, of `typer.Exit`, or none.
        return end.code if isinstance(end.code, int) else ExitCode.DONE
    except Exception as error:
        say(_unexpected(error))
        return ExitCode.FAILED
    return ExitCode.DONE


def leave(code: int) -> NoReturn:
    """End the process.

    Once Temporal's native runtime is loaded, its threads may still hand results to the interpreter
    while that shuts down, which aborts the process or hangs it. So the interpreter's shutdown is
    left out then; everything of ours is closed by the time a command returns.
    """
    if "temporalio.bridge" not in sys.modules:
        sys.exit(code)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # Whoever read our output may be gone.
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _unexpected(error: Exception) -> str:
    kind = type(error).__name__
    try:
        path = _keep(error)
    except OSError as failure:
        return (
            f"promote: error: unexpected {kind}; please report it "
            f"(its trace could not be written: {failure.strerror})"
        )
    return f"promote: error: unexpected {kind}; please report it together with {path}"


def _keep(error: Exception) -> Path:
    # Not from the settings: they may be what is broken.
    directory = Path(os.environ.get("PROMOTE_HOME") or ".promote") / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"error-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.log"
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return path
