"""An installed `promote` needs no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the built wheel's contents."""
    directory = tmp_path_factory.mktemp("installed")
    wheels = tmp_path_factory.mktemp("wheels")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), ".", cwd=ROOT)
    (wheel,) = wheels.glob("*.whl")
    run(*pip, "install", "--no-deps", "--target", str(directory), str(wheel), cwd=directory)
    return directory


def test_the_wheel_brings_all_that_it_needs(installed: Path, tmp_path: Path) -> None:
    for name in ("engine/py.typed", "workflows/py.typed", "migrations/script.py.mako"):
        assert (installed / name).is_file()
    home = {"PYTHONPATH": str(installed), "PROMOTE_HOME": str(tmp_path / "home")}
    where = run(sys.executable, "-c", "import engine; print(engine.__file__)", cwd=tmp_path, **home)
    assert where.stdout.startswith(str(installed))
    promote = (sys.executable, "-m", "engine.cli.main")
    run(*promote, "--help", cwd=tmp_path, **home)
    run(*promote, "db", "upgrade", cwd=tmp_path, **home)
    assert (tmp_path / "home" / "promote.db").is_file()
    run(*promote, "db", "check", cwd=tmp_path, **home)
    assert (installed / "bin" / "promote").is_file()
