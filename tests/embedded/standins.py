"""Small real programs that behave as a worker or an agent does towards its supervisor."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from engine.embedded.process import ChildSpec
from engine.processes import READY

PREAMBLE = f"""
import os, signal, subprocess, sys, time
def ready():
    print({READY!r}, flush=True)
def note(text):
    with open(sys.argv[1], "a") as file:
        file.write(text + "\\n")
"""

OBEDIENT = """
def stop(number, frame):
    note(f"stop {sys.argv[2]}")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
note(f"start {sys.argv[2]} {os.getpid()}")
ready()
while True:
    time.sleep(0.05)
"""

STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
note(f"start {sys.argv[2]} {os.getpid()}")
ready()
while True:
    time.sleep(0.05)
"""

WITH_HELPER = """
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
note(f"helper {helper.pid}")
note(f"start {sys.argv[2]} {os.getpid()}")
ready()
while True:
    time.sleep(0.05)
"""

SHORT_LIVED = """
note(f"start {sys.argv[2]} {os.getpid()}")
ready()
sys.exit(7)
"""

FAILING = """
print("reading the settings", flush=True)
print("PROMOTE_HOME: no such directory", file=sys.stderr, flush=True)
sys.exit(2)
"""

SILENT = """
note(f"start {sys.argv[2]} {os.getpid()}")
while True:
    time.sleep(0.05)
"""


def command(program: str, notes: Path, name: str) -> tuple[str, ...]:
    return (sys.executable, "-c", PREAMBLE + program, str(notes), name)


def spec(
    program: str, notes: Path, name: str, *, ready_timeout: float = 30.0, stop_timeout: float = 30.0
) -> ChildSpec:
    return ChildSpec(
        name=name,
        command=command(program, notes, name),
        environment=dict(os.environ),
        ready_line=READY,
        ready_timeout=ready_timeout,
        stop_timeout=stop_timeout,
    )


def noted(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


def started(notes: Path, name: str) -> list[int]:
    prefix = f"start {name} "
    return [int(line.removeprefix(prefix)) for line in noted(notes) if line.startswith(prefix)]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        await asyncio.sleep(0.05)
