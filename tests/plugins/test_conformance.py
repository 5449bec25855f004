"""The conformance test: passed by the examples, and failed by whatever breaks a rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.model.base import Json
from engine.plugins.conformance import Finding, Mark, examine
from tests.harness.answering import Answer, answering
from tests.plugins.builders import (
    EXAMPLES,
    described,
    install_error_budget,
    installed,
    offer,
    program,
    result,
)

GIT_TAG = EXAMPLES / "bin" / "git-tag.py"


def failed(findings: tuple[Finding, ...]) -> list[str]:
    return [
        f"{each.subject}: {each.rule}: {each.detail}"
        for each in findings
        if each.mark is Mark.FAILED
    ]


async def test_the_executable_example_keeps_to_the_protocol() -> None:
    findings = await examine(GIT_TAG)
    assert {each.mark for each in findings} == {Mark.PASSED}
    assert len(findings) == 7


async def test_the_python_example_keeps_to_the_protocol(site: Path) -> None:
    install_error_budget(site)
    with answering() as server:
        server.answers["/slo"] = Answer(body={"total": 1_000_000, "good": 999_900})
        findings = await examine("error-budget", [{"url": f"{server.url}/slo", "objective": 0.999}])
    assert {each.mark for each in findings} == {Mark.PASSED}
    assert [each.subject for each in findings] == [
        "error-budget",
        "gate error-budget",
        "gate.evaluate",
        "gate.evaluate",
        "gate error-budget",
    ]


async def test_what_there_are_no_inputs_for_is_left_out_and_said(site: Path) -> None:
    install_error_budget(site)
    findings = await examine("error-budget")
    assert failed(findings) == []
    assert [each.rule for each in findings if each.mark is Mark.SKIPPED] == [
        "answers in time, within 15 s",
        "decides the same when it is asked the same again",
    ]


STRICT: dict[str, Json] = {"type": "object", "additionalProperties": False}
ALLOW = result(verdict="allow", reason="fine")
REFUSE = """printf '%s' '{"error": {"type": "Invalid", "message": "no"}}'"""
SOUND = f"""case "$call" in
*no-such-input*) {REFUSE} ;;
*'"method": "gate.evaluate"'*) {ALLOW} ;;
*) {REFUSE} ;;
esac"""


@pytest.mark.parametrize(
    ("script", "rule", "told"),
    [
        (f"echo debug; {ALLOW}", "answers in time", "wrote no JSON to stdout"),
        ("exit 1", "answers in time", "exit code 1"),
        (
            "case $call in *gate.evaluate*) sleep 600 ;; *) exit 1 ;; esac",
            "answers in time",
            "did not end within 0.5 s",
        ),
        (result(verdict="maybe", reason="who knows"), "answers in time", "result.verdict"),
        (ALLOW, "refuses inputs that do not fit", "takes {"),
        (
            f"case $call in *no-such-input*) exit 1 ;; *) {ALLOW} ;; esac",
            "refuses inputs that do not fit",
            "does not refuse",
        ),
        (
            'printf \'{"result": {"verdict": "allow", "reason": "%s"}}\' $$',
            "decides the same",
            "first {",
        ),
        (ALLOW, "answers what is no call with an error", "gave a result"),
        (
            "case $call in *gate.evaluate*) exit 0 ;; *) exit 1 ;; esac",
            "answers what is no call with an error",
            "exit code 1",
        ),
        (ALLOW, "answers another protocol, and a method", "gave a result"),
    ],
)
async def test_each_broken_rule_is_found(tmp_path: Path, script: str, rule: str, told: str) -> None:
    timeout = "500ms" if "sleep" in script else "30s"
    gate = offer("gate", schema=STRICT, timeout=timeout, examples=[{}])
    findings = failed(await examine(program(tmp_path, "sky", described("sky", gate), script)))
    assert [each for each in findings if rule in each and told in each]


async def test_a_program_in_sh_can_keep_to_it(tmp_path: Path) -> None:
    gate = offer("gate", schema=STRICT, examples=[{}])
    path = program(tmp_path, "sky", described("sky", gate), SOUND)
    # The description is given for any protocol version, which the rules do not allow.
    text = path.read_text().replace(
        "call=$(cat)",
        f"""call=$(cat)
case "$call" in *'"protocol": 1'*'}}') ;; *) {REFUSE}; exit ;; esac""",
    )
    path.write_text(text)
    assert failed(await examine(path)) == []


async def test_examples_that_do_not_fit_are_told(tmp_path: Path) -> None:
    gate = offer("gate", schema=STRICT, examples=[{"a": 1}])
    findings = await examine(program(tmp_path, "sky", described("sky", gate), SOUND))
    assert any("example 1" in each for each in failed(findings))


async def test_one_that_says_nothing_usable_has_one_finding(tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    (finding,) = await examine(path)
    assert finding.mark is Mark.FAILED
    assert "wrote nothing to stdout" in finding.detail


async def test_a_plugin_in_python_that_takes_anything_is_found(site: Path) -> None:
    code = """
from engine.plugins.protocol import Description, Offer

class Sky:
    def describe(self):
        return Description(id="sky", version="1", offers=(Offer(
            kind="gate", name="sky", input_schema={"additionalProperties": False}),))
    async def call(self, call):
        return {"verdict": "allow", "reason": "fine"}
"""
    installed(site, "py_sky", code, "sky = py_sky:Sky")
    (finding,) = failed(await examine("sky"))
    assert "refuses inputs that do not fit its schema: takes" in finding
