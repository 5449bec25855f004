"""deploy/Dockerfile: what can be told without building an image."""

from __future__ import annotations

import fnmatch
import re
import tomllib

from tests.compose.composefile import ROOT, load, ours, services
from tests.compose.dockerfile import TEXT, bases, copied


def test_the_base_image_is_pinned_and_fits_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert len(set(bases())) == 1
    found = re.fullmatch(r"python:(\d+)\.(\d+)\.(\d+)-slim-bookworm", bases()[0])
    assert found is not None
    least = re.fullmatch(r">=(\d+)\.(\d+)", project["requires-python"])
    assert least is not None
    assert [int(part) for part in found.groups()] >= [int(part) for part in least.groups()]


def test_the_tag_is_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert load()["x-engine"]["image"] == f"{project['name']}:{project['version']}"


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for sources, _ in copied():
        for source in sources:
            assert (ROOT / source).exists()
            assert not [rule for rule in ignored if fnmatch.fnmatch(source.rstrip("/"), rule)]


def test_no_file_that_may_hold_a_secret_is_copied() -> None:
    for sources, _ in copied():
        assert not {".", "./", "*", ".env"} & set(sources)


def test_dependencies_are_the_locked_ones_with_their_hashes() -> None:
    assert "pip install --require-hashes -r requirements/runtime.txt" in TEXT
    others = re.findall(r"pip (?:install|wheel) (?!--require-hashes)(.*?)(?= &&|$)", TEXT, re.M)
    assert others
    assert all("--no-deps" in other for other in others)


def test_nothing_runs_as_root_and_state_belongs_to_the_user() -> None:
    final = TEXT[TEXT.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", final, re.M)
    made = re.search(r"install -d -o promote -g promote -m 0700 (.*)", final)
    assert made is not None
    for service in ours(services()).values():
        assert service.get("user") is None
        for volume in service.get("volumes", []):
            source, _, target = volume.partition(":")
            # A named volume takes over owner and mode of the image's directory.
            if source in load()["volumes"]:
                assert target in made[1].split()


def test_health_checks_and_entry_point_are_in_the_image() -> None:
    installed = {
        target + source.rpartition("/")[2] for sources, target in copied() for source in sources
    }
    for service in ours(services()).values():
        if "healthcheck" in service:
            assert service["healthcheck"]["test"][2] in installed
    entry = re.search(r'^ENTRYPOINT \["(.+)"\]$', TEXT, re.M)
    assert entry is not None
    assert entry[1].removeprefix("/opt/promote/") in {one.rpartition("/")[2] for one in installed}
