from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.harness.processes import environment, promote
from tests.plugins.builders import EXAMPLES, described, offer, program

BIN = EXAMPLES / "bin"


def run(tmp_path: Path, *arguments: str, plugins: Path = BIN) -> subprocess.CompletedProcess[str]:
    # No command here needs a server.
    env = environment(tmp_path / "home", "127.0.0.1:1", PROMOTE_PLUGINS=str(plugins))
    return promote("plugin", *arguments, env=env)


def test_the_installed_plugins_are_listed_with_what_they_offer(tmp_path: Path) -> None:
    ended = run(tmp_path, "list", "--json")
    assert ended.returncode == 0, ended.stderr
    listed = {each["id"]: each for each in json.loads(ended.stdout)}
    tag = listed["git-tag"]
    assert (tag["kind"], tag["version"], tag["problem"]) == ("executable", "1.0.0", None)
    assert tag["origin"] == str(BIN / "git-tag.py")
    assert tag["digest"].startswith("sha256:")
    (offered,) = tag["offers"]
    assert (offered["kind"], offered["name"]) == ("step", "tag")
    assert offered["schema"]["required"] == ["repository", "revision"]


def test_one_that_cannot_be_used_is_listed_with_the_reason(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    program(plugins, "sky", described("other", offer()), "")
    program(plugins, "sea", described("sea", offer()), "")
    ended = run(tmp_path, "list", plugins=plugins)
    assert ended.returncode == 1
    assert "calls itself 'other'" in ended.stdout
    assert "gate gate" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_a_check_tells_each_rule_and_ends_with_one_when_one_is_broken(tmp_path: Path) -> None:
    schema = '{"additionalProperties": false}'
    path = program(
        tmp_path,
        "sky",
        described("sky", offer(schema=json.loads(schema))),
        "echo hello",
    )
    ended = run(tmp_path, "check", str(path))
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert lines[0] == "passed   sky: says what it offers, with valid schemas: gate gate"
    assert any(line.startswith("failed   gate.evaluate: answers in time") for line in lines)
    told = json.loads(run(tmp_path, "check", str(path), "--json").stdout)
    assert [each["mark"] for each in told] == [line.split()[0] for line in lines]


def test_what_is_neither_a_file_nor_a_plugin_is_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, "check", "git-tga")
    assert ended.returncode == 2
    assert "'git-tga' is neither a file nor a plugin; installed: git-tag" in ended.stderr


def test_inputs_that_are_no_json_object_are_refused(tmp_path: Path) -> None:
    (tmp_path / "inputs.json").write_text("[]")
    ended = run(tmp_path, "check", "git-tag", "--inputs", str(tmp_path / "inputs.json"))
    assert ended.returncode == 2
    assert "--inputs" in ended.stderr
    assert "no JSON object" in ended.stderr
