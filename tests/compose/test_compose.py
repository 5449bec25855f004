"""docker-compose.yml against the Compose Specification, and against our own code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_it_is_a_compose_file_by_the_specification() -> None:
    checked = subprocess.run(
        [
            sys.executable, "-m", "check_jsonschema",
            "--builtin-schema", "vendor.compose-spec", "docker-compose.yml",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_one_version(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9/-]+:v?\d+\.\d+(\.\d+)?", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_depends_on_exists_and_can_become_so(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert needed in SERVICES
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        if how["condition"] == "service_completed_successfully":
            assert SERVICES[needed]["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_the_loopback_interface_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_and_volumes_exist(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        assert (
            (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"]
        )


@pytest.mark.parametrize("name", OURS)
def test_our_commands_are_commands_of_promote(name: str) -> None:
    words = [word for word in OURS[name]["command"] if not word.startswith("-")]
    command = words[: 2 if words[0] in ("db", "server") else 1]
    asked = subprocess.run(
        [sys.executable, "-m", "engine.cli.main", *command, "--help"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    for option in OURS[name]["command"]:
        if option.startswith("--"):
            assert option in asked.stdout


def test_our_variables_are_read_by_the_code() -> None:
    code = "".join(path.read_text() for path in (ROOT / "engine").rglob("*.py"))
    fields = re.findall(r"^    (\w+): ", (ROOT / "engine" / "config.py").read_text(), re.M)
    settings = {f"PROMOTE_{field.upper()}" for field in fields}
    for service in OURS.values():
        for variable in service["environment"]:
            known = variable in settings or variable in code
            # Read by Temporal's and OpenTelemetry's own libraries.
            assert known or variable in ("TEMPORAL_NAMESPACE", "OTEL_SERVICE_NAME"), variable


def test_the_collector_has_the_settings_of_the_specification() -> None:
    collector = YAML(typ="safe").load(ROOT / "deploy" / "otel-collector.yaml")
    assert collector["processors"]["batch"] == {"timeout": "10s", "send_batch_size": 1024}
    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(collector[kind])


def test_the_image_is_built_from_what_is_there() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "requirements/runtime.txt" in dockerfile
    assert all(
        re.match(r"FROM python:3\.\d+\.\d+-slim", line)
        for line in dockerfile.splitlines()
        if line.startswith("FROM")
    )
