"""Becomes another program that dies with the process which started it.

Run by its file name, with nothing but the standard library: `tether.py PARENT COMMAND ARGUMENT…`.

On Linux the kernel kills the program when its parent is gone, also when that was killed and had no
chance to clean up (https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html). The setting
survives `exec`. It has to be made in the new process itself, and a program of its own makes it,
because Python code between `fork` and `exec` (`preexec_fn`) may deadlock in a process with threads.

Elsewhere it only becomes the program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Replace this process. Returns an exit code only when that fails."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
            print(f"cannot tie the process to its parent: errno {ctypes.get_errno()}", flush=True)
            return 126
    if os.getppid() != parent:
        # The parent died before the setting was made, so nothing will tell us.
        return 125
    try:
        os.execv(command[0], command)  # noqa: S606  The supervisor gives the command.
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", flush=True)
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
