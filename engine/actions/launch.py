"""Becomes another program, under limits, that dies with the process which started it.

Run by its file name, with nothing but the standard library:
`launch.py PARENT CPU_SECONDS MEMORY_BYTES COMMAND ARGUMENT…`, where 0 stands for no limit.

A program of its own does this, because Python code between `fork` and `exec` (`preexec_fn`) may
deadlock in a process with threads. On Linux the kernel kills the program when its parent is gone
(https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html); elsewhere it lives on.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

CANNOT_RUN = 126
"""The exit code where the program cannot be run; the first line of stderr is `MARK` and why."""

MARK = "promotion-engine cannot run it: "

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Replace this process. Returns an exit code only when that fails."""
    parent, cpu_seconds, memory_bytes = (int(each) for each in arguments[:3])
    command = arguments[3:]
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            # The parent died before the setting was made, so nothing will tell us.
            return CANNOT_RUN
        if cpu_seconds:
            # At the soft limit it gets SIGXCPU, which it may catch; a second later it is killed.
            _limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)
        if memory_bytes:
            _limit(resource.RLIMIT_AS, memory_bytes, memory_bytes)
        _limit(resource.RLIMIT_CORE, 0, 0)
        # Python ignores these for itself, and an ignored signal stays ignored in a new program.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606  no shell is wanted
    except (OSError, ValueError, MemoryError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error) or "too little memory"
        print(f"{MARK}{command[0]}: {told}", file=sys.stderr, flush=True)
    return CANNOT_RUN


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit; where a lower one holds already, that one stays."""
    _, given = resource.getrlimit(kind)
    if given != resource.RLIM_INFINITY:
        soft, hard = min(soft, given), min(hard, given)
    resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
