from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from engine.model.search_attributes import SEARCH_ATTRIBUTES
from engine.search_attributes import missing_search_attributes
from tests.harness.processes import environment, promote
from tests.harness.system import trivy_report
from tests.harness.temporal import temporal_cli

NOWHERE = "127.0.0.1:1"

ENVIRONMENTS = """\
tenant: acme
environments:
  - name: staging
    targets:
      - {name: web-1, agent: staging-1}
    gates: [{type: security, config: {max_critical: 0}}]
  - name: production
    targets:
      - {name: web-1, agent: production-1}
"""

RELEASE = """\
tenant: acme
name: web
version: 1.0.0
components:
  - name: web
    artifact: web.tar.gz
    attachments: [{path: report.json, format: trivy-json}]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "environments.yaml").write_text(ENVIRONMENTS)
    (tmp_path / "release.yaml").write_text(RELEASE)
    (tmp_path / "web.tar.gz").write_bytes(b"an archive")
    (tmp_path / "report.json").write_bytes(trivy_report(low=1))
    return tmp_path


def run(home: Path, *arguments: str, code: int = 0, database: str = "") -> str:
    more = {"PROMOTE_DATABASE_URL": database} if database else {}
    ended = promote(*arguments, env=environment(home, NOWHERE, **more))
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr
    return ended.stderr if code else ended.stdout


def test_applying_shows_what_it_changes(home: Path) -> None:
    file = home / "environments.yaml"
    run(home, "db", "upgrade")
    assert run(home, "apply", "-f", str(file)).splitlines() == [
        "environment acme/staging: created",
        "environment acme/production: created",
    ]
    assert run(home, "apply", "-f", str(file)).splitlines() == [
        "environment acme/staging: unchanged",
        "environment acme/production: unchanged",
    ]
    file.write_text(ENVIRONMENTS.replace("max_critical: 0", "max_critical: 3"))
    assert run(home, "apply", "-f", str(file)).splitlines() == [
        "environment acme/staging: changed",
        "  ~ environment.gates[security].config.max_critical: 0 -> 3",
        "environment acme/production: unchanged",
    ]
    file.write_text(ENVIRONMENTS.replace("staging-1", "staging-9"))
    (staging, production) = json.loads(run(home, "apply", "-f", str(file), "--json"))[
        "environments"
    ]
    assert staging["change"] == "changed"
    assert '~ targets[web-1].agent: "staging-1" -> "staging-9"' in staging["differences"]
    assert (production["change"], production["differences"]) == ("unchanged", [])


def test_a_wrong_file_names_the_line_and_writes_nothing(home: Path) -> None:
    file = home / "environments.yaml"
    run(home, "db", "upgrade")
    file.write_text(ENVIRONMENTS.replace("max_critical", "max_critcal"))
    told = run(home, "apply", "-f", str(file), code=2)
    assert told.startswith(f"promote: error: {file}:6:39: environments[0].gates[0]")
    assert "max_critical" in told
    told = run(home, "apply", "-f", str(home / "none.yaml"), code=2)
    assert "there is no such file" in told
    file.write_text(ENVIRONMENTS)
    assert "staging: created" in run(home, "apply", "-f", str(file))


def test_registering_a_release_once_and_again(home: Path) -> None:
    file = str(home / "release.yaml")
    run(home, "db", "upgrade")
    assert run(home, "release", "register", "-f", file) == "release acme/web@1.0.0: created\n"
    assert run(home, "release", "register", "-f", file) == "release acme/web@1.0.0: unchanged\n"
    registered = json.loads(run(home, "release", "register", "-f", file, "--json"))
    assert registered["change"] == "unchanged"
    (listed,) = json.loads(run(home, "release", "list", "--tenant", "acme", "--json"))
    assert listed == registered["release"]
    table = run(home, "release", "list", "--tenant", "acme")
    assert "web@1.0.0" in table
    assert listed["components"][0]["digest"] in table

    (home / "web.tar.gz").write_bytes(b"another archive")
    told = run(home, "release", "register", "-f", file, code=2)
    assert told.startswith("promote: error: release: web@1.0.0 is registered with other contents")
    told = run(home, "release", "list", "--tenant", "nobody", code=2)
    assert told.startswith("promote: error: tenant: ")


WRITERS = [
    ("apply", "-f", "environments.yaml"),
    ("release", "register", "-f", "release.yaml"),
    ("release", "list", "--tenant", "acme"),
]


@pytest.mark.parametrize("command", WRITERS)
def test_a_database_that_does_not_exist_is_told_and_not_made(
    home: Path, command: tuple[str, ...]
) -> None:
    arguments = [str(home / part) if part.endswith(".yaml") else part for part in command]
    told = run(home, *arguments, code=2)
    assert "run: promote db upgrade" in told
    assert not (home / "promote.db").exists()


@pytest.mark.parametrize(
    "command", [*WRITERS, ("start", "-r", "web@1", "-e", "staging", "--requested-by", "a")]
)
def test_a_database_on_another_revision_is_told(home: Path, command: tuple[str, ...]) -> None:
    with sqlite3.connect(home / "promote.db") as database:
        database.execute("CREATE TABLE something (id INTEGER)")
    arguments = [str(home / part) if part.endswith(".yaml") else part for part in command]
    told = run(home, *arguments, code=2)
    assert told.endswith("run: promote db upgrade\n")
    assert told.count("\n") == 1


def test_a_start_tells_of_a_configured_database_that_is_missing(home: Path) -> None:
    told = run(
        home, "start", "-r", "web@1", "-e", "staging", "--requested-by", "a",
        code=2, database=f"sqlite:///{home / 'elsewhere.db'}",
    )  # fmt: skip
    assert "run: promote db upgrade" in told


def test_the_databases_revision_is_shown_and_checked(home: Path) -> None:
    before = json.loads(run(home, "db", "current", "--json"))
    assert (before["current"], before["is_current"]) == (None, False)
    assert "run: promote db upgrade" in run(home, "db", "current")
    assert promote("db", "check", env=environment(home, NOWHERE)).returncode == 1
    assert not (home / "promote.db").exists()

    assert run(home, "db", "upgrade") == f"the database is on revision {before['head']}\n"
    assert run(home, "db", "upgrade") == f"the database is on revision {before['head']}\n"
    after = json.loads(run(home, "db", "current", "--json"))
    assert after == {"current": before["head"], "head": before["head"], "is_current": True}
    assert json.loads(run(home, "db", "check", "--json")) == {"differences": []}

    with sqlite3.connect(home / "promote.db") as database:
        database.execute("DROP TABLE agent_tasks")
    drifted = promote("db", "check", env=environment(home, NOWHERE))
    assert drifted.returncode == 1
    assert "agent_tasks" in drifted.stdout


def test_a_public_key_that_does_not_exist_yet_is_told(home: Path) -> None:
    told = run(home, "evidence", "public-key", code=2)
    assert told.startswith("promote: error: PROMOTE_SIGNING_KEY: there is no key")


async def test_server_init_registers_once(tmp_path: Path) -> None:
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_cli(), dev_server_log_level="error"
    )
    try:
        address = server.client.service_client.config.target_host
        ended = promote("server", "init", env=environment(tmp_path, address))
        assert ended.returncode == 0, ended.stderr
        assert all(name in ended.stdout for name in SEARCH_ATTRIBUTES)
        assert await missing_search_attributes(server.client) == []
        again = promote("server", "init", env=environment(tmp_path, address))
        assert again.stdout == "namespace default: all search attributes are there already\n"
    finally:
        await server.shutdown()
