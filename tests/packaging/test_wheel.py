"""An installed `promote` needs no checkout: the wheel that the image is made of, at work."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compose.dockerfile import lay_out

PACKAGES = {"engine", "workflows", "activities", "migrations"}
Run = Callable[..., str]


def run(*command: str, cwd: Path, **more: str) -> str:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PROMOTE_", "PYTHON", "OTEL_", "TEMPORAL_"))
    }
    done = subprocess.run(
        command, cwd=cwd, env={**kept, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from nothing but what deploy/Dockerfile copies."""
    sources, wheels = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheels")
    lay_out(sources)
    run(
        sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "wheel", "--no-deps",
        "--no-build-isolation", "--wheel-dir", str(wheels), ".",
        cwd=sources,
    )  # fmt: skip
    (built,) = wheels.glob("promotion_engine-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory into which the wheel is installed; its dependencies are this environment's."""
    directory = tmp_path_factory.mktemp("installed")
    run(
        sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps",
        "--target", str(directory), str(wheel),
        cwd=directory,
    )  # fmt: skip
    return directory


@pytest.fixture
def promote(installed: Path, tmp_path: Path) -> Run:
    """Runs the installed `promote` in an empty directory, with a home below it."""

    def call(*arguments: str) -> str:
        return run(
            sys.executable, str(installed / "bin" / "promote"), *arguments,
            cwd=tmp_path, PYTHONPATH=str(installed), PYTHONSAFEPATH="1",
            PROMOTE_HOME=str(tmp_path / "home"),
        )  # fmt: skip

    return call


def test_it_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    for package in PACKAGES - {"migrations"}:
        assert f"{package}/py.typed" in names
    assert "migrations/script.py.mako" in names


def test_all_packages_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    script = f"import {', '.join(PACKAGES)}\n" + "".join(
        f"print({package}.__file__)\n" for package in PACKAGES
    )
    told = run(
        sys.executable, "-P", "-c", script, cwd=tmp_path, PYTHONPATH=str(installed)
    ).splitlines()
    assert len(told) == len(PACKAGES)
    for path in told:
        assert Path(path).is_relative_to(installed)


def test_it_says_what_it_can_do_and_its_version(promote: Run, wheel: Path) -> None:
    assert "worker" in promote("--help")
    assert wheel.name.split("-")[1] in promote("--version")


def test_it_makes_the_database_from_an_empty_directory(promote: Run, tmp_path: Path) -> None:
    promote("db", "upgrade")
    assert (tmp_path / "home" / "promote.db").is_file()
    assert "current" in promote("db", "current")
    promote("db", "check")
    promote("db", "upgrade")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
