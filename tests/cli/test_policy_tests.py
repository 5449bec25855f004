"""`promote policy test` runs offline; and what the commands about rules refuse."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from engine.cli.main import app
from engine.errors import InputError

ENVIRONMENTS = """
groups: {managers: [bob, carol]}
environments:
  - name: gated
    targets: [{name: t1, agent: a1}]
    gates: [{type: approval, config: {required: 1, groups: [managers]}}]
"""
CASES = """
files: [environments.yaml]
environment: gated
cases:
  - name: nobody
    now: 2026-03-06T17:00 Europe/Berlin
    expect: {decision: wait}
  - name: bob
    now: 2026-03-06T17:00 Europe/Berlin
    votes: [{user: bob}]
    expect: {decision: allow}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"PROMOTE_USER": "alice", "COLUMNS": "160"})


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    (tmp_path / "environments.yaml").write_text(ENVIRONMENTS)
    file = tmp_path / "cases.yaml"
    file.write_text(CASES)
    return file


def test_cases_that_come_out_as_expected_end_with_0(cases: Path) -> None:
    ended = run("policy", "test", str(cases))
    assert ended.exit_code == 0
    assert ended.stderr == "2 of 2 cases came out as expected\n"


def test_one_that_does_not_ends_with_1_and_says_why_also_in_junit(
    cases: Path, tmp_path: Path
) -> None:
    cases.write_text(CASES.replace("decision: allow", "decision: deny"))
    report = tmp_path / "junit.xml"
    ended = run("policy", "test", str(cases), "--junit", str(report))
    assert ended.exit_code == 1
    assert "the decision is allow, not deny" in ended.stdout
    assert ElementTree.parse(report).getroot().get("failures") == "1"
    (told,) = json.loads(run("policy", "test", str(cases), "--json").stdout)
    assert [len(case["problems"]) for case in told["cases"]] == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain",), "--environment: is missing"),
        (("explain", "-e", "gated"), "--release: is missing"),
        (("explain", "some-id", "-e", "gated"), "--environment: cannot be given beside ID"),
        (("auto", "hold", "gated"), "--reason: is missing"),
        (("auto", "lift", "gated", "--reason", " "), "--reason: is missing"),
        (
            ("policy", "replay", "-e", "gated", "--with", "rules.yaml", "--since", "soon"),
            "--since: 'soon' is no time",
        ),
        (
            ("policy", "replay", "-e", "x", "--with", "f", "--since", "2026-03-01T00:00"),
            "--since: '2026-03-01T00:00' has no time zone",
        ),
    ],
)
def test_what_is_asked_wrongly_is_refused(arguments: tuple[str, ...], told: str) -> None:
    ended = run(*arguments)
    assert isinstance(ended.exception, InputError)
    assert str(ended.exception).startswith(told)
