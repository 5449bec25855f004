"""docker-compose.yml against the Compose Specification, and against what it refers to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose.composefile import FILE, ROOT, load, ours, services, variables_of

SERVICES = services()
SECRETS = {
    "POSTGRES_ADMIN_PASSWORD": "admin-password",
    "POSTGRES_TEMPORAL_PASSWORD": "temporal-password",
    "POSTGRES_PROMOTE_PASSWORD": "promote-password",
    "GRAFANA_ADMIN_PASSWORD": "grafana-password",
}


def docker_compose() -> list[str] | None:
    """How Docker Compose is called here; neither a daemon nor an image is needed to read a file."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        told = subprocess.run([*command, "version"], capture_output=True, text=True, check=False)
        if told.returncode == 0 and re.search(r"\bv?2\.\d+|\bv?[3-9]\.\d+", told.stdout):
            return command
    return None


def test_it_is_a_compose_file_by_the_specification() -> None:
    checked = subprocess.run(
        [
            sys.executable, "-m", "check_jsonschema",
            "--builtin-schema", "vendor.compose-spec", str(FILE),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_docker_compose_itself_takes_it_and_shows_no_secret() -> None:
    command = docker_compose()
    if command is None:
        pytest.skip("Docker Compose 2 is not installed here")
    read = subprocess.run(
        [*command, "--profile", "*", "--file", str(FILE), "config"],
        env={**os.environ, **SECRETS}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert read.returncode == 0, read.stderr
    assert "variable is not set" not in read.stderr
    assert not [secret for secret in SECRETS.values() if secret in read.stdout]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_one_version(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9/-]+:v?\d+\.\d+(\.\d+)?(-bookworm)?", SERVICES[name]["image"])


def test_all_parts_of_temporal_are_of_the_release_that_the_tests_run() -> None:
    cli = shutil.which("temporal", path=str(Path(sys.executable).parent))
    assert cli is not None
    told = subprocess.run([cli, "--version"], capture_output=True, text=True, check=True).stdout
    tested = re.search(r"Server (?P<server>[\d.]+), UI (?P<ui>[\d.]+)", told)
    assert tested is not None, told
    for name in ("temporal", "temporal-schema", "temporal-namespace"):
        assert SERVICES[name]["image"].endswith(f":{tested['server']}")
    assert SERVICES["temporal-ui"]["image"] == f"temporalio/ui:{tested['ui']}"


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_depends_on_exists_and_can_become_so(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        other = SERVICES[needed]
        assert "profiles" not in other
        ends = other["restart"].startswith(("no", "on-failure"))
        match how["condition"]:
            case "service_healthy":
                assert other["healthcheck"]["test"]
                assert not ends
            case "service_completed_successfully":
                assert ends
            case "service_started":
                assert not ends
            case condition:
                pytest.fail(f"unknown condition {condition}")


def test_every_job_is_awaited_by_a_service_that_stays() -> None:
    # Else `docker compose up --wait` takes the job's end for a failure.
    awaited = {
        needed
        for one in SERVICES.values()
        if one["restart"] == "unless-stopped"
        for needed, how in one.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    jobs = {name for name, one in SERVICES.items() if one["restart"].startswith("on-failure")}
    assert jobs == awaited


def test_everything_starts_after_what_it_needs() -> None:
    def before(name: str) -> set[str]:
        direct = set(SERVICES[name].get("depends_on", {}))
        return direct.union(*(before(other) for other in direct))

    assert {"postgres", "temporal-schema", "temporal", "temporal-namespace"} <= before("worker")
    assert {"migrate", "search-attributes", "otel-collector", "jaeger"} <= before("worker")
    assert {"temporal-namespace"} <= before("search-attributes")
    assert {"temporal-namespace"} <= before("agent")
    assert {"migrate", "search-attributes"} <= before("promote")


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_the_loopback_interface_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    assert SERVICES[name].get("network_mode") is None


def test_no_two_services_publish_the_same_port() -> None:
    published = [port.split(":")[1] for one in SERVICES.values() for port in one.get("ports", [])]
    assert len(published) == len(set(published))


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_are_in_the_checkout_and_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, target = volume.partition(":")
        if source.startswith("./"):
            assert (ROOT / source).exists()
            assert target.endswith(":ro")
        else:
            assert source in load()["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_passwords_are_secrets_and_never_in_the_environment(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if "PASSWORD" in variable or "PWD" in variable:
            assert variable.endswith("_FILE")
            assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]
        assert not re.search(r"://[^/@]*:[^/@]*@", value)
    assert set(SERVICES[name].get("secrets", [])) <= set(load()["secrets"])
    assert {one["environment"] for one in load()["secrets"].values()} == set(SECRETS)


def test_who_does_not_need_the_database_or_the_signing_key_does_not_get_them() -> None:
    for name, service in ours(SERVICES).items():
        has_key = any(volume.startswith("keys:") for volume in service.get("volumes", []))
        assert has_key == (name == "worker")
        has_database = "PROMOTE_DATABASE_URL" in service["environment"]
        assert has_database == (name in ("worker", "migrate", "promote"))
        assert has_database == ("postgres_promote" in service.get("secrets", []))


def test_all_variables_and_services_are_documented() -> None:
    documented = (ROOT / "docs" / "compose.md").read_text()
    for variable in variables_of(FILE.read_text()) | set(SECRETS):
        assert f"`{variable}`" in documented
    for service in SERVICES:
        assert f"`{service}`" in documented


def test_the_documented_addresses_are_those_that_are_published() -> None:
    documented = set(re.findall(r"127\.0\.0\.1:(\d+)", (ROOT / "docs" / "compose.md").read_text()))
    published = {port.split(":")[1] for one in SERVICES.values() for port in one.get("ports", [])}
    assert documented == published


@pytest.mark.parametrize(
    "script", sorted((ROOT / "deploy").glob("*.sh")), ids=lambda path: path.name
)
def test_scripts_are_executable_and_parse(script: Path) -> None:
    assert os.access(script, os.X_OK)
    parsed = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
