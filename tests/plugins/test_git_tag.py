"""The executable example, run as it is, against real repositories."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.builders import EXAMPLES


def git(cwd: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, tagged 1.0.0 and 1.1.0, and the bare repository `origin`."""
    path, bare = tmp_path / "repository", tmp_path / "bare.git"
    path.mkdir()
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    git(path, "init", "--quiet")
    git(path, "remote", "add", "origin", str(bare))
    for version in ("1.0.0", "1.1.0"):
        git(path, "commit", "--quiet", "--allow-empty", "--message", version)
        git(path, "tag", version)
    return path


def step(tmp_path: Path, inputs: dict[str, str], *, check: bool = False) -> Any:
    request = {
        "protocol": 1,
        "method": "step.run",
        "params": {
            "name": "tag",
            "inputs": inputs,
            "secrets": {},
            "promotion": {
                "id": "5b1d",
                "environment": "production",
                "requested_by": "alice",
                "release": {"version": "1.0.0"},
            },
        },
        "context": {"key": "k", "check": check},
    }
    # Nothing of the promotion engine is within its reach: it is to run anywhere.
    done = subprocess.run(
        [sys.executable, "-I", str(EXAMPLES / "bin" / "git-tag.py")],
        input=json.dumps(request),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_it_tags_and_pushes_and_is_content_when_done_again(
    repository: Path, tmp_path: Path
) -> None:
    given = {"repository": str(repository), "revision": "1.0.0", "remote": "origin"}
    first, second = step(tmp_path, given), step(tmp_path, given)
    commit = git(repository, "rev-parse", "1.0.0").strip()
    outputs = {"tag": "production/1.0.0", "commit": commit}
    assert first["result"]["outputs"] == {**outputs, "made": True}
    assert second["result"]["outputs"] == {**outputs, "made": False}
    bare = tmp_path / "bare.git"
    assert git(bare, "rev-parse", "production/1.0.0^{commit}").strip() == commit
    assert "requested by alice" in git(bare, "cat-file", "tag", "production/1.0.0")


def test_a_tag_is_never_moved(repository: Path, tmp_path: Path) -> None:
    given = {"repository": str(repository), "tag": "live"}
    assert step(tmp_path, {**given, "revision": "1.0.0"})["result"]["succeeded"]
    moved = step(tmp_path, {**given, "revision": "1.1.0"})["result"]
    assert not moved["succeeded"]
    assert "the tag live is on" in moved["detail"]


def test_a_rehearsal_makes_nothing(repository: Path, tmp_path: Path) -> None:
    told = step(tmp_path, {"repository": str(repository), "revision": "1.0.0"}, check=True)
    assert told["result"]["detail"] == "would make the tag production/1.0.0"
    assert git(repository, "tag", "--list", "production/*") == ""


@pytest.mark.parametrize(
    ("more", "type_"),
    [
        ({"revision": "--all"}, "InvalidInputs"),
        ({"repository": "relative"}, "InvalidInputs"),
        ({"repository": "/nowhere/at/all"}, "InvalidInputs"),
        ({"colour": "red"}, "InvalidInputs"),
        ({"remote": "nowhere"}, "GitFailed"),
    ],
)
def test_what_it_cannot_do_it_refuses(
    repository: Path, tmp_path: Path, more: dict[str, str], type_: str
) -> None:
    given = {"repository": str(repository), "revision": "1.0.0", **more}
    assert step(tmp_path, given)["error"]["type"] == type_


def test_a_revision_that_is_not_there_is_a_definite_no(repository: Path, tmp_path: Path) -> None:
    told = step(tmp_path, {"repository": str(repository), "revision": "2.0.0"})["result"]
    assert not told["succeeded"]
