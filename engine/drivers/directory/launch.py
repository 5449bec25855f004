"""A program that starts another one only when told to. Run by `process.prepare`, not imported.

    launch.py GO SAY COMMAND...

It forks a detached child, which writes its process id and a line end to the descriptor SAY, waits
for a byte on the descriptor GO, and becomes COMMAND, under the same process id. When GO is closed
without a byte, which is also what happens when the agent dies, the child ends without a trace. So
no process ever runs that the agent has not recorded before. When COMMAND cannot be run, the child
writes why to SAY, which otherwise closes empty.
"""

from __future__ import annotations

import os
import signal
import sys


def main(go: int, say: int, command: list[str]) -> None:
    """Fork, wait for the word, and become `command`."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.write(say, b"%d\n" % os.getpid())
    if not os.read(go, 1):
        os._exit(0)
    os.close(go)
    os.set_inheritable(say, False)
    # Python ignores these for itself, and an ignored signal stays ignored in the new program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(say, f"{command[0]}: {error.strerror}".encode())
        os._exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
