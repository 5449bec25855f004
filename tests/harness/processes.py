"""The `promote` command as processes of their own, started and stopped by tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from engine.processes import READY
from tests.harness.system import PATIENCE

PROMOTE = (sys.executable, "-m", "engine.cli.main")


def environment(home: Path, address: str, **more: str) -> dict[str, str]:
    """The variables of a process that works on `home` with the Temporal server at `address`."""
    ours = ("TEMPORAL_", "PROMOTE_", "OTEL_")
    kept = {
        name: value
        for name, value in os.environ.items()
        # A test runner may set the width of its own terminal.
        if not name.startswith(ours) and name != "COLUMNS"
    }
    return {
        **kept,
        "PROMOTE_HOME": str(home),
        "TEMPORAL_ADDRESS": address,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **more,
    }


def promote(
    *arguments: str, env: Mapping[str, str], stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a `promote` command to its end."""
    return subprocess.run(
        [*PROMOTE, *arguments],
        env=dict(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )


class Process:
    """A long-running `promote` command and the lines that it has printed."""

    def __init__(self, *arguments: str, env: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*PROMOTE, *arguments],
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until_line(self, text: str) -> str:
        """Wait until a line with `text` has been printed, and return it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if text in line:
                    return line
            if self.process.poll() is not None:
                self._reader.join(5)
                break
            time.sleep(0.05)
        raise AssertionError(f"never printed {text!r}, but: {self.lines}")

    def kill(self) -> None:
        """End it with SIGKILL, as a machine that loses power would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it with SIGTERM, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def running(*arguments: str, env: Mapping[str, str], ready: str = READY) -> Iterator[Process]:
    """A long-running command that is ready; its whole tree is gone at the end."""
    process = Process(*arguments, env=env)
    tree: list[psutil.Process] = []
    try:
        process.until_line(ready)
        tree = psutil.Process(process.process.pid).children(recursive=True)
        yield process
    finally:
        if process.process.poll() is None:
            process.process.terminate()
            try:
                process.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        _, left = psutil.wait_procs(tree, timeout=10)
        for one in left:
            one.kill()
