"""Long-running commands whose log is read apart from what they print."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.processes import READY
from tests.harness.processes import PROMOTE
from tests.harness.system import PATIENCE

Line = dict[str, Any]


class Logged:
    """A command, its standard output, and the file that its standard error goes to."""

    def __init__(self, process: subprocess.Popen[str], path: Path) -> None:
        self.process = process
        self.printed: list[str] = []
        self._path = path
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return self._path.read_text()

    @property
    def lines(self) -> list[Line]:
        """Every line of the log; one that is no JSON fails the test."""
        return [
            json.loads(line) for line in self.text.splitlines(keepends=True) if line[-1] == "\n"
        ]

    def of(self, promotion_id: str) -> list[Line]:
        return [
            line for line in self.lines if line["attributes"].get("promotion.id") == promotion_id
        ]

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, f"{what}: {self.text}"
            time.sleep(0.05)

    def until_event(self, name: str, promotion_id: str = "") -> None:
        def has_come() -> bool:
            lines = self.of(promotion_id) if promotion_id else self.lines
            return any(line.get("event_name") == name for line in lines)

        self.until(has_come, name)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it with SIGTERM, and wait until all that it wrote is here."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.text
        self._reader.join(PATIENCE)


@contextmanager
def logged(*arguments: str, env: Mapping[str, str], log: Path) -> Iterator[Logged]:
    """A long-running command that is ready, and gone at the end."""
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*PROMOTE, *arguments],
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
        )
    running = Logged(process, log)
    try:
        running.until(lambda: READY in running.printed, "ready")
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                running.kill()


def events(lines: list[Line]) -> list[str]:
    return [line["event_name"] for line in lines if "event_name" in line]
