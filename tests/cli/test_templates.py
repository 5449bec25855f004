"""`promote template`, `promote schema`, and `promote apply` with templates, in this process."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from engine.cli.boundary import guarded
from engine.cli.main import app
from engine.cli.parameters import parse_parameters
from engine.errors import InputError
from engine.model.base import Json

TEMPLATE = """\
tenant: acme
name: careful
version: "1"
description: Asks before it ships.
parameters:
  url: {type: string, description: what to ask}
  soak: {type: duration, default: 5m}
nodes:
  - {id: ask, type: approval, inputs: {required: 1, groups: [leads]}, timeout: 8h}
  - id: ship
    type: include
    needs: [ask]
    when: promotion.reason != ''
    inputs: {template: standard}
  - id: look
    type: verify
    needs: [ship]
    retry: {attempts: 3}
    inputs:
      checks: [{name: health, http: {url: "${{ params.url }}"}}]
"""
ENVIRONMENTS = """\
tenant: acme
groups: {leads: [ann]}
environments:
  - name: staging
    template: careful
    parameters: {url: "http://127.0.0.1:1/"}
    targets: [{name: web-1, agent: east}]
"""


class Cli:
    """Runs commands on one home directory."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._capsys = home, capsys
        self.file("careful.yaml", TEMPLATE)
        self.file("environments.yaml", ENVIRONMENTS)

    def file(self, name: str, text: str) -> str:
        (self.home / name).write_text(text)
        return str(self.home / name)

    def path(self, name: str) -> str:
        return str(self.home / name)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        self._capsys.readouterr()
        ended = guarded(partial(app, [*arguments], prog_name="promote"))
        told = self._capsys.readouterr()
        assert ended == code, told
        return told.err if code else told.out


@pytest.fixture
def promote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    monkeypatch.setenv("PROMOTE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PROMOTE_DATABASE_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return Cli(tmp_path, capsys)


def test_applying_templates_and_environments_together(promote: Cli) -> None:
    promote("db", "upgrade")
    both = ("-f", promote.path("environments.yaml"), "-f", promote.path("careful.yaml"))
    assert promote("apply", *both).splitlines() == [
        "template acme/careful@1: created",
        "environment acme/staging: created",
    ]
    again = json.loads(promote("apply", *both, "--json"))
    assert again["templates"] == [
        {"tenant": "acme", "template": "careful", "version": "1", "change": "unchanged"}
    ]
    assert again["environments"][0]["change"] == "unchanged"


def test_a_template_that_is_not_applied_is_refused_and_nothing_is_written(promote: Cli) -> None:
    promote("db", "upgrade")
    environments = promote.path("environments.yaml")
    told = promote("apply", "-f", environments, code=2)
    assert told.startswith(f"promote: error: {environments}:5:5: environments[0].template: ")
    assert "no template is called 'careful'" in told

    promote("apply", "-f", promote.path("careful.yaml"))
    misnamed = promote.file("other.yaml", ENVIRONMENTS.replace("careful", "carefull"))
    assert "did you mean 'careful'?" in promote("apply", "-f", misnamed, code=2)
    versioned = promote.file("other.yaml", ENVIRONMENTS.replace("careful", "careful@2"))
    assert "has no version '2'; versions: 1" in promote("apply", "-f", versioned, code=2)
    assert "environment acme/staging: created" in promote("apply", "-f", environments)


def test_a_version_does_not_change_and_the_next_one_is_the_newest(promote: Cli) -> None:
    promote("db", "upgrade")
    promote("apply", "-f", promote.path("careful.yaml"), "-f", promote.path("environments.yaml"))
    changed = promote.file("changed.yaml", TEMPLATE.replace("5m", "6m"))
    renamed = promote.file("env.yaml", ENVIRONMENTS.replace("staging", "later"))
    told = promote("apply", "-f", renamed, "-f", changed, code=2)
    assert told.startswith(f"promote: error: {changed}:3:1: version: careful@1 is applied already")
    assert "give the new contents a version of their own" in told

    newer = promote.file("newer.yaml", TEMPLATE.replace("5m", "6m").replace('"1"', '"2"'))
    # The environment of the refused files was not written: it is created now.
    assert promote("apply", "-f", newer, "-f", renamed).splitlines() == [
        "template acme/careful@2: created",
        "environment acme/later: created",
    ]
    listed = json.loads(promote("template", "list", "--tenant", "acme", "--json"))
    assert [(each["name"], each["version"]) for each in listed["applied"]] == [
        ("careful", "2"),
        ("careful", "1"),
    ]
    assert {each["name"] for each in listed["built_in"]} == {
        "standard",
        "canary-with-verification",
    }
    table = promote("template", "list", "--tenant", "acme")
    assert "Asks before it ships." in table
    assert "built in" in table
    shown = YAML(typ="safe").load(promote("template", "show", "careful@1", "--tenant", "acme"))
    assert shown["parameters"]["soak"] == {"type": "duration", "default": "5m"}
    assert shown["nodes"] == YAML(typ="safe").load(TEMPLATE)["nodes"]
    newest = json.loads(promote("template", "show", "careful", "--tenant", "acme", "--json"))
    assert newest["version"] == "2"
    told = promote("template", "show", "carefull", "--tenant", "acme", code=2)
    assert "did you mean 'careful'?" in told


def test_a_shown_template_can_be_applied_again(promote: Cli) -> None:
    promote("db", "upgrade")
    for name in ("standard", "canary-with-verification"):
        shown = promote("template", "show", name).replace(f"name: {name}", f"name: my-{name}")
        assert promote("template", "lint", promote.file("mine.yaml", shown)).endswith(": ok\n")


def test_a_plan_tells_the_order_and_what_is_conditional_without_a_database(promote: Cli) -> None:
    plan = json.loads(promote("template", "plan", promote.path("careful.yaml"), "--json"))
    assert [[node["id"] for node in wave] for wave in plan["waves"]] == [
        ["ask"], ["ship.security-check"], ["ship.approval"], ["ship.deploy"], ["look"],
    ]  # fmt: skip
    (ship,) = plan["waves"][1]
    assert ship["conditions"] == [{"when": "promotion.reason != ''", "include": "ship"}]
    assert [(each["name"], each["source"]) for each in plan["parameters"]] == [
        ("url", "nowhere"),
        ("soak", "default"),
    ]
    text = promote("template", "plan", promote.path("careful.yaml"), "--param", "url=http://x")
    assert "if promotion.reason != '' (of ship)" in text
    assert "3 attempts" in text
    assert '"http://x"' in text
    told = promote("template", "plan", promote.path("careful.yaml"), "--param", "soak=long", code=2)
    assert "parameters.soak: must be a duration" in told
    told = promote("template", "plan", promote.path("environments.yaml"), code=2)
    assert "is an environment file" in told


def test_a_plan_for_an_environment_has_its_values_and_is_held_against_its_groups(
    promote: Cli,
) -> None:
    promote("db", "upgrade")
    promote("apply", "-f", promote.path("careful.yaml"), "-f", promote.path("environments.yaml"))
    here = ("--environment", "staging", "--tenant", "acme", "--json")
    for what in ((), ("careful",), ("careful@1",), (promote.path("careful.yaml"),)):
        plan = json.loads(promote("template", "plan", *what, *here))
        values = {each["name"]: (each["value"], each["source"]) for each in plan["parameters"]}
        assert values["url"] == ("http://127.0.0.1:1/", "environment")
    strangers = promote.file("strangers.yaml", TEMPLATE.replace("[leads]", "[strangers]"))
    told = promote("template", "plan", strangers, *here, code=2)
    assert "strangers" in told


def test_linting_tells_of_each_file(promote: Cli) -> None:
    good, other = promote.path("careful.yaml"), promote.path("environments.yaml")
    assert promote("template", "lint", good, other) == f"{good}: ok\n{other}: ok\n"
    bad = promote.file("bad.yaml", TEMPLATE.replace("type: verify", "type: verfy"))
    told = promote("template", "lint", bad, code=2)
    assert told.startswith(f"promote: error: {bad}:16:5: nodes[2].type: ")


@pytest.mark.parametrize(
    ("kind", "key"), [("template", "nodes"), ("environment", "environments"), ("release", "name")]
)
def test_the_schema_of_each_kind_of_file_is_printed(promote: Cli, kind: str, key: str) -> None:
    schema = json.loads(promote("schema", kind))
    Draft202012Validator.check_schema(schema)
    assert key in schema["properties"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("true", True),
        ("", None),
        ("null", None),
        ("15m", "15m"),
        ("a: b", "a: b"),
        ('"3"', "3"),
        ("'true'", "true"),
        ("[a, 1]", ["a", 1]),
        ("{a: [1]}", {"a": [1]}),
        ("x=y", "x=y"),
        ("*x", "*x"),
    ],
)
def test_a_value_is_typed_as_yaml_types_it(text: str, value: Json) -> None:
    found = parse_parameters([f"name={text}"])["name"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["x"], "is not NAME=VALUE"),
        (["=x"], "is not NAME=VALUE"),
        (["a=1", "a=2"], "'a' is given twice"),
        (["a=[1"], "--param a:2:1: is not well-formed YAML"),
        (["a=.inf"], "is not a finite number"),
    ],
)
def test_a_malformed_value_is_refused(given: list[str], words: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_parameters(given)
    assert words in str(raised.value)
    assert raised.value.remedy
