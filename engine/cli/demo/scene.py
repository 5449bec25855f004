"""What the demo is played with: a directory of its own, the example files, free ports."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from engine.config import Settings
from engine.documents.environment_file import load_environments
from engine.documents.release_file import LoadedRelease, load_release
from engine.embedded import ports
from engine.errors import InputError, PromotionEngineError
from engine.model.environment import EnvironmentDefinition

_PORT = re.compile(r"\b1808[1-6]\b")
_FILES = ("build.py", "environments.yaml", "releases", "reports", "web")


@dataclass(frozen=True)
class Scene:
    """Everything that is on the stage before the first promotion.

    Attributes:
        settings: of a home directory that only the demo uses.
        environment_file: the example's, with ports that are free on this machine.
        releases: by version.
    """

    settings: Settings
    environment_file: Path
    environments: tuple[EnvironmentDefinition, ...]
    releases: dict[str, LoadedRelease]


def build_scene(settings: Settings, examples: Path) -> Scene:
    """Copy the examples, build their artifacts, and read the files.

    Raises:
        InputError: the examples are not where they should be.
        PromotionEngineError: the example's build failed.
    """
    missing = [name for name in _FILES if not (examples / name).exists()]
    if missing:
        raise InputError(
            "--examples",
            f"{examples} has no {', '.join(missing)}",
            "name the directory examples/ of the project",
        )
    home = settings.home.absolute() / "demo"
    shutil.rmtree(home, ignore_errors=True)
    stage = home / "examples"
    stage.mkdir(parents=True)
    for name in _FILES:
        source = examples / name
        if source.is_dir():
            shutil.copytree(source, stage / name)
        else:
            shutil.copy(source, stage / name)
    _build(stage)
    environment_file = stage / "environments.yaml"
    environment_file.write_text(_adapted(environment_file.read_text()))
    return Scene(
        settings=Settings(home=home, database_url="", signing_key=None),
        environment_file=environment_file,
        environments=load_environments(environment_file),
        releases={
            loaded.release.version: loaded
            for loaded in map(load_release, sorted((stage / "releases").glob("*.yaml")))
        },
    )


def _build(stage: Path) -> None:
    command = [sys.executable, str(stage / "build.py"), str(stage / "dist")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # the project's own script
    if built.returncode != 0:
        raise PromotionEngineError(f"the example's build failed: {built.stderr.strip()}")


def _adapted(text: str) -> str:
    """The environment file for this machine: this Python, and ports that nobody uses."""
    chosen: dict[str, str] = {}
    for number in sorted(set(_PORT.findall(text))):
        taken = {int(port) for port in chosen.values()}
        chosen[number] = str(ports.choose(int(number), avoid=taken).number)
    text = _PORT.sub(lambda match: chosen[match.group()], text)
    return text.replace("[python3, server.py]", f'["{sys.executable}", server.py]')
