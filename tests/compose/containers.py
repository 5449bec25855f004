"""The services of docker-compose.yml as processes of this machine: what stands in for containers.

Each gets the command and the environment that the file gives it. Only names that exist nowhere but
inside of containers are replaced: host names, `/files`, `/var/lib/promote`, `/etc/promote` and
`/run/secrets`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.processes import READY
from tests.compose.composefile import ROOT, services
from tests.harness.system import PATIENCE

DEPLOY = ROOT / "deploy"


@dataclass
class Host:
    """Where the services run.

    Attributes:
        directory: holds what the containers have on their volumes.
        replaced: what stands for what, the first one first.
        variables: those of `.env`.
    """

    directory: Path
    replaced: list[tuple[str, str]]
    variables: dict[str, str]

    def service(self, name: str) -> dict[str, Any]:
        """A service as the file describes it, with this host's names."""
        found: dict[str, Any] = self.translated(services(**self.variables)[name])
        return found

    def translated(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.translated(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.translated(item) for item in value]
        if isinstance(value, str):
            for there, here in self.replaced:
                value = value.replace(there, here)
        return value

    def environment(self, name: str, **more: str) -> dict[str, str]:
        """What the processes of a service find in their environment."""
        ours = ("PROMOTE_", "TEMPORAL_", "OTEL_", "POSTGRES_", "PG")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        return {
            **kept,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "PROMOTE_HOME": str(self.directory),
            **self.service(name)["environment"],
            **more,
        }

    def script(self, name: str, service: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script of `deploy/` as a service does."""
        return self._run(["sh", str(DEPLOY / name)], service, **more)

    def promote(self, service: str, *arguments: str, **more: str) -> str:
        """Run our image's entry point as a service does, and return what it prints."""
        words = list(arguments) or self.service(service)["command"]
        done = self._run([str(DEPLOY / "entrypoint.sh"), *words], service, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def health(self, service: str) -> subprocess.CompletedProcess[str]:
        """Run the service's health check."""
        kind, python, program, *arguments = self.service(service)["healthcheck"]["test"]
        assert (kind, python) == ("CMD", "python")
        here = program.replace("/opt/promote", str(DEPLOY))
        return self._run([sys.executable, here, *arguments], service)

    @contextmanager
    def running(self, service: str, *more: str) -> Iterator[None]:
        """A long-running service of ours, from when it is ready; stopped as Docker stops it."""
        log = self.directory / f"{service}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(DEPLOY / "entrypoint.sh"), *self.service(service)["command"], *more],
                env=self.environment(service),
                cwd=self.directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline = time.monotonic() + PATIENCE
            while READY not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        assert process.returncode == 0, log.read_text()

    def _run(
        self, command: list[str], service: str, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment(service, **more),
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            check=False,
        )
