"""deploy/Dockerfile, as far as the tests read it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.compose.composefile import ROOT

TEXT = re.sub(r"\\\n\s*", "", (ROOT / "deploy" / "Dockerfile").read_text())


def bases() -> list[str]:
    """The images that its stages start from."""
    return re.findall(r"^FROM (\S+)", TEXT, re.M)


def copied() -> list[tuple[list[str], str]]:
    """What is copied from the checkout: the paths, and to where."""
    lines = re.findall(r"^COPY (?!--from=)(.+)$", TEXT, re.M)
    return [(words[:-1], words[-1]) for words in (line.split() for line in lines)]


def lay_out(directory: Path) -> None:
    """Make `directory` what the image's `/src` is when the wheel is built."""
    for sources, target in copied():
        if target.startswith("/"):
            continue
        for source in sources:
            path, place = ROOT / source, directory / target
            if path.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(path, place, dirs_exist_ok=True, ignore=ignored)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place)
