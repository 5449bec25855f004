"""The files of examples/ are what they say, and the driver deploys them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from engine.drivers import registry
from engine.drivers.directory.driver import DirectoryDriver
from engine.drivers.protocol import DriverContext
from engine.model.environment import EnvironmentFile
from engine.model.release import ReleaseDocument

from .support import Rollout, free_port, on_disk, web_config

EXAMPLES = Path(__file__).parents[3] / "examples"
VERSIONS = ("1.0.0", "1.1.0")


def built(directory: Path) -> dict[str, bytes]:
    subprocess.run([sys.executable, EXAMPLES / "build.py", directory], check=True)
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def read_report(version: str) -> Any:
    return json.loads((EXAMPLES / "reports" / f"web-{version}.trivy.json").read_text())


def test_the_archives_are_reproducible(tmp_path: Path) -> None:
    first, second = built(tmp_path / "1"), built(tmp_path / "2")
    assert first == second
    assert set(first) == {f"web-{version}.tar.gz" for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_driver_deploys_the_example(
    driver: DirectoryDriver, context: DriverContext, tmp_path: Path, version: str
) -> None:
    port = free_port()
    content = built(tmp_path / "dist")[f"web-{version}.tar.gz"]
    rollout = Rollout(on_disk(tmp_path, "web.tar.gz", content), web_config(port))
    await driver.pull(rollout.pull, context)
    await driver.deploy(rollout.deploy, context)
    await driver.health_check(rollout.health_check, context)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        assert (await client.get("/")).text == f"web {version}\n"
        assert (await client.get("/healthz")).json() == {"status": "ok", "version": version}
        assert (await client.get("/elsewhere")).status_code == 404


@pytest.mark.parametrize("version", VERSIONS)
def test_the_release_files_point_at_what_is_there(tmp_path: Path, version: str) -> None:
    path = EXAMPLES / "releases" / f"web-{version}.yaml"
    document = ReleaseDocument.model_validate(read_yaml(path))
    assert (document.tenant, document.name, document.version) == ("demo", "web", version)
    [component] = document.components
    artifact = (path.parent / component.artifact).resolve()
    assert artifact.parent == EXAMPLES / "dist"
    assert artifact.name in built(tmp_path / "dist")
    [attachment] = component.attachments
    assert (path.parent / attachment.path).samefile(
        EXAMPLES / "reports" / f"web-{version}.trivy.json"
    )


@pytest.mark.parametrize(
    ("version", "severities"),
    [
        ("1.0.0", ["LOW", "MEDIUM", "MEDIUM"]),
        ("1.1.0", ["CRITICAL", "LOW", "MEDIUM", "MEDIUM"]),
    ],
)
def test_the_scan_reports_are_about_the_archives(
    tmp_path: Path, version: str, severities: list[str]
) -> None:
    report = read_report(version)
    assert report["SchemaVersion"] == 2
    [result] = report["Results"]
    assert sorted(found["Severity"] for found in result["Vulnerabilities"]) == severities
    content = built(tmp_path / "dist")[f"web-{version}.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        member = archive.extractfile(result["Target"])
        assert member is not None
        pinned = dict(line.split("==") for line in member.read().decode().split())
    scanned = {package["Name"]: package["Version"] for package in result["Packages"]}
    assert scanned == pinned
    for found in result["Vulnerabilities"]:
        assert pinned[found["PkgName"]] == found["InstalledVersion"]


def test_the_environments_have_three_targets_each_on_their_own_ports() -> None:
    document = EnvironmentFile.model_validate(read_yaml(EXAMPLES / "environments.yaml"))
    staging, production = document.environments
    assert (document.tenant, staging.name, production.name) == ("demo", "staging", "production")
    assert document.groups == {"release-managers": ("bob", "carol")}
    targets = [*staging.targets, *production.targets]
    for target in targets:
        registry.check_config(target.driver, target.config)
    configs = [json.loads(json.dumps(target.config)) for target in targets]
    ports = [config["service"]["environment"]["PORT"] for config in configs]
    assert ports == [str(port) for port in range(18081, 18087)]
    for config, port in zip(configs, ports, strict=True):
        assert config["health"]["url"] == f"http://127.0.0.1:{port}/healthz"
    assert [target.agent for target in targets] == [
        f"{environment}-{number}"
        for environment in ("staging", "production")
        for number in (1, 2, 3)
    ]
    assert [gate.type for gate in production.gates] == ["security", "approval", "freeze_window"]


def test_the_service_says_what_is_wrong_with_its_port(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("1")
    (tmp_path / "server.py").write_bytes((EXAMPLES / "web" / "server.py").read_bytes())
    ended = subprocess.run(
        [sys.executable, "server.py"],
        cwd=tmp_path,
        env={"PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (2, "PORT: set it to the port to listen on\n")


def test_a_report_differs_from_the_other_by_the_critical_finding_alone() -> None:
    first, second = (read_report(version)["Results"][0]["Vulnerabilities"] for version in VERSIONS)
    [added] = [found for found in second if found not in first]
    assert added["Severity"] == "CRITICAL"
