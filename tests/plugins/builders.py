"""Plugins that tests write and install."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.model.base import Json
from engine.plugins.protocol import Method

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"


class Noted:
    """Takes note of calls, as `engine.plugins.calls.Calls`.

    Attributes:
        made: plugin, method, offer, and the error that left it.
    """

    def __init__(self) -> None:
        self.made: list[tuple[str, str, str, str]] = []
        self.beats = 0

    @contextmanager
    def calling(self, plugin: str, method: Method, offer: str) -> Iterator[None]:
        error = ""
        try:
            yield
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            self.made.append((plugin, method.value, offer, error))

    def heartbeat(self) -> None:
        self.beats += 1


def offer(kind: str = "gate", name: str = "", **more: Json) -> dict[str, Json]:
    return {"kind": kind, "name": name or kind, **more}


def described(id: str, *offers: dict[str, Json], **more: Json) -> dict[str, Json]:
    return {"id": id, "version": "1.0", "offers": [*offers], **more}


def program(directory: Path, id: str, description: dict[str, Json], script: str) -> Path:
    """An executable plugin in POSIX sh.

    Args:
        script: what it does for every call but `describe`; the call is in $call.
    """
    directory.mkdir(exist_ok=True)
    path = directory / f"{id}.sh"
    answer = json.dumps({"result": description}).replace("'", "'\\''")
    path.write_text(
        "#!/bin/sh\n"
        "call=$(cat)\n"
        'case "$call" in\n'
        f"*'\"method\": \"describe\"'*) printf '%s' '{answer}' ;;\n"
        f"*)\n{script}\n;;\nesac\n"
    )
    path.chmod(0o755)
    return path


def result(**data: Json) -> str:
    """A line of sh that answers with a result."""
    return f"printf '%s' '{json.dumps({'result': data})}'"


def installed(site: Path, module: str, code: str, entry: str) -> None:
    """A distribution called as its module, with one entry point `<id> = <object>`."""
    (site / f"{module}.py").write_text(code)
    _metadata(site, module, entry)


def install_error_budget(site: Path) -> None:
    """The example, as pip installs it."""
    shutil.copy(EXAMPLES / "error-budget" / "error_budget.py", site)
    _metadata(site, "promotion_engine_error_budget", "error-budget = error_budget:ErrorBudget")


def _metadata(site: Path, name: str, entry: str) -> None:
    metadata = site / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[promotion_engine.plugins]\n{entry}\n")
