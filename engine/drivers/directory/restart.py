"""Running a target's restart command."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from engine.drivers.directory.layout import TargetDirectory
from engine.drivers.directory.process import inherited_environment
from engine.drivers.directory.service import own_variables
from engine.errors import DriverError
from engine.model.agent_task import RunningVersion

RESTART_SECONDS = 60.0

_SHOWN_LINES = 20


def run_restart_command(
    directory: TargetDirectory, command: Sequence[str], version: RunningVersion
) -> None:
    """Run the command once, in the active release, with the variables that a service gets.

    Its output goes to a file, because what it starts may keep a pipe open for ever.

    Raises:
        DriverError: it cannot be run, ended with another code than 0, or took too long.
    """
    with directory.restart_log.open("wb") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
                command,
                cwd=directory.release(version.digest),
                env={**inherited_environment(), **own_variables(directory, version)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as error:
            raise DriverError(
                f"cannot run the restart command {command[0]!r}: {error.strerror}", retryable=False
            ) from error
        try:
            code = process.wait(RESTART_SECONDS)
        except subprocess.TimeoutExpired as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise DriverError(
                f"the restart command {command[0]!r} did not end within {RESTART_SECONDS:g} s"
            ) from error
    if code != 0:
        output = directory.restart_log.read_text(errors="replace").splitlines()
        tail = "\n".join(output[-_SHOWN_LINES:])
        raise DriverError(f"the restart command {command[0]!r} ended with code {code}:\n{tail}")
