from __future__ import annotations

import subprocess
import sys

WAITING = """
import asyncio, signal, threading, time
from engine.cli.running import run

def interrupt():
    # To this thread, so that the one that sleeps in the event loop is not woken by the system.
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

async def wait():
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)

try:
    run(wait())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_ends_what_waits_for_ever_whichever_thread_gets_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAITING],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "cleaned up\ninterrupted\n"), done.stderr
