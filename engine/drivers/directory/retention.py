"""Which releases stay on a target, and the removal of the others."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

from engine.drivers.directory.layout import TargetDirectory, hex_of
from engine.drivers.directory.state import TargetState

_log = logging.getLogger(__name__)


def prune(directory: TargetDirectory, state: TargetState, keep: int) -> None:
    """Remove all but the `keep` last active releases and as many downloads.

    The active release and the one before it always stay. A failure to remove something is logged
    and no more: the target runs what it should.
    """
    kept = {hex_of(version.digest) for version in (state.running, state.previous) if version}
    try:
        for digest in _last_active_first(directory):
            if len(kept) >= keep:
                break
            kept.add(hex_of(digest))
        for path in directory.releases.iterdir():
            if path.name not in kept:
                _remove_release(path)
        downloads = sorted(directory.downloads.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in downloads[:-keep]:
            path.unlink()
    except (OSError, ValueError, LookupError, TypeError) as error:
        _log.warning("cannot remove old releases of %s: %s", directory.path.name, error)


def _last_active_first(directory: TargetDirectory) -> list[str]:
    lines = directory.journal.read_bytes().splitlines() if directory.journal.exists() else []
    # A dict keeps the first place of each key, and drops the repetitions.
    return list(dict.fromkeys(str(json.loads(line)["to"]) for line in reversed(lines)))


def _remove_release(path: Path) -> None:
    doomed = path
    if not path.name.startswith("."):
        # A release under its own name is complete, at every moment; so the name goes first.
        doomed = path.with_name(f".{path.name}.removed")
        if doomed.exists():
            shutil.rmtree(doomed)
        path.replace(doomed)
    shutil.rmtree(doomed)
