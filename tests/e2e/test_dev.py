"""`promote dev` and `promote demo`, as a new user runs them."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness.processes import PROMOTE, environment, promote, running
from tests.harness.system import PATIENCE

EXAMPLES = Path(__file__).parents[2] / "examples"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """The example files, built, with one target per environment on a free port."""
    built = subprocess.run(
        [sys.executable, str(EXAMPLES / "build.py"), str(tmp_path / "dist")], check=False
    )
    assert built.returncode == 0
    for name in ("releases", "reports"):
        (tmp_path / name).symlink_to(EXAMPLES / name)
    (tmp_path / "release.yaml").write_text(
        (EXAMPLES / "releases" / "web-1.0.0.yaml").read_text().replace("../", "")
    )
    (port,) = free_ports(1)
    (tmp_path / "port").write_text(str(port))
    (tmp_path / "environments.yaml").write_text(
        "tenant: demo\nenvironments:\n  - name: production\n"
        "    gates: [{type: approval, config: {required: 1, users: [bob]}}]\n"
        "    targets:\n      - name: production-1\n        agent: production-1\n"
        "        config:\n          service:\n"
        f"            command: ['{sys.executable}', server.py]\n"
        f"            environment: {{PORT: '{port}'}}\n"
        f"          health: {{url: 'http://127.0.0.1:{port}/healthz'}}\n"
    )
    return tmp_path


def dev_environment(home: Path) -> dict[str, str]:
    env = environment(home, "")
    del env["TEMPORAL_ADDRESS"]
    return env


def status_of(promotion: str, env: dict[str, str]) -> str:
    shown = promote("status", promotion, "--json", env=env)
    assert shown.returncode == 0, shown.stderr
    status = json.loads(shown.stdout)["status"]
    assert isinstance(status, str)
    return status


def test_a_promotion_that_waits_goes_on_after_dev_was_stopped_and_started(stage: Path) -> None:
    home = stage / "home"
    env = dev_environment(home)
    file = str(stage / "environments.yaml")
    with running("dev", "-f", file, env=env, ready="ready; stop with Ctrl-C") as dev:
        registered = promote("release", "register", "-f", str(stage / "release.yaml"), env=env)
        assert registered.returncode == 0, registered.stderr
        started = promote(
            "start", "--release", "web@1.0.0", "--environment", "production",
            "--tenant", "demo", "--requested-by", "alice", "--json", env=env,
        )  # fmt: skip
        assert started.returncode == 0, started.stderr
        promotion = json.loads(started.stdout)["promotion_id"]
        deadline = time.monotonic() + PATIENCE
        while status_of(promotion, env) != "awaiting_approval":
            assert time.monotonic() < deadline
        tree = psutil.Process(dev.process.pid).children(recursive=True)
        assert len(tree) >= 3
        assert dev.stop() == 0
        assert psutil.wait_procs(tree, timeout=10)[1] == []

    with running("dev", "-f", file, env=env, ready="ready; stop with Ctrl-C") as dev:
        assert status_of(promotion, env) == "awaiting_approval"
        approved = promote("approve", promotion, "--user", "bob", env=env)
        assert approved.returncode == 0, approved.stderr
        watched = promote("watch", promotion, env=env)
        assert watched.returncode == 0, watched.stdout + watched.stderr
        port = (stage / "port").read_text()
        assert "1.0.0" in httpx.get(f"http://127.0.0.1:{port}/").text
        traced = promote("trace", "show", promotion, env=env)
        assert traced.returncode == 0
        assert "agent.task.health_check" in traced.stdout
        envelope, key = stage / "evidence.json", stage / "key.pem"
        exported = promote("evidence", "export", promotion, "-o", str(envelope), env=env)
        assert exported.returncode == 0, exported.stderr
        key.write_text(promote("evidence", "public-key", env=env).stdout)
        assert (
            promote("evidence", "verify", str(envelope), "--key", str(key), env=env).returncode == 0
        )
        forged = json.loads(envelope.read_text())
        forged["payload"] = base64.b64encode(
            base64.b64decode(forged["payload"]).replace(b"alice", b"mallory")
        ).decode()
        envelope.write_text(json.dumps(forged))
        assert (
            promote("evidence", "verify", str(envelope), "--key", str(key), env=env).returncode == 1
        )
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(PATIENCE) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/")


def test_the_demo_shows_all_that_it_should_and_leaves_nothing_running(tmp_path: Path) -> None:
    env = {**dev_environment(tmp_path), "CI": "true"}
    process = subprocess.Popen(
        [*PROMOTE, "demo", "--examples", str(EXAMPLES)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    output, errors = process.communicate(timeout=PATIENCE * 3)
    assert process.returncode == 0, output + errors
    assert len(re.findall(r"^promotion [0-9a-f-]{36}, requested by alice$", output, re.M)) == 3
    assert len(re.findall(r"^verified: sha256 [0-9a-f]{64}", output, re.M)) == 3
    assert len(re.findall(r"^Temporal UI: http://127\.0\.0\.1:\d+/namespaces/", output, re.M)) == 3
    assert "gate security: failed: 1 critical" in output
    assert len(re.findall(r"web 1\.0\.0$", output, re.M)) == 6
    assert "\x1b[" not in output
    left = [
        one.info["cmdline"]
        for one in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(one.info["cmdline"] or ())
        or (one.pid != os.getpid() and _session(one.pid) == process.pid)
    ]
    assert left == []


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1
