"""Policy tests run the gates' own code over made-up cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent, indent
from xml.etree import ElementTree

import pytest

from engine.approvals.keys import KeyKind, make_key
from engine.errors import InputError
from engine.policy.evaluation import Basis, Outcome, Verdicts
from engine.policy.junit import junit
from engine.policy.testing import CaseReport, FileReport, run

ENVIRONMENTS = """
groups: {leads: [bob, carol, dave]}
environments:
  - name: production
    targets: [{name: t1, agent: a1}]
    gates:
      - {type: approval, config: {required: 2, groups: [leads]}}
      - type: freeze_window
        config:
          on_freeze: wait
          windows:
            - name: weekend
              timezone: Europe/Berlin
              start: 2026-01-02T16:00
              end: 2026-01-05T08:00
              rrule: FREQ=WEEKLY;BYDAY=FR
      - type: previous_environment
        config: {environment: staging, soak: 24h, verified: [smoke]}
      - {type: security, config: {max_critical: 0}, when: "!promotion.is_rollback"}
  - name: outside
    targets: [{name: t2, agent: a1}]
    gates:
      - {type: http, name: cab, config: {url: "https://cab.example/ask"}}
"""

GOOD = """
standings: {staging: {soaked: 24h, steps: [{node: smoke}]}}
release: {components: [{name: web, attachments: [{path: report.json, format: trivy-json}]}]}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "environments.yaml").write_text(ENVIRONMENTS)
    report = {"SchemaVersion": 2, "ArtifactName": "web", "ArtifactType": "filesystem"}
    (tmp_path / "report.json").write_text(json.dumps(report))
    return tmp_path


async def ran(directory: Path, *cases: str, environment: str = "production") -> FileReport:
    entries = "".join(
        "  - {}\n".replace("{}", indent(dedent(case).strip(), "    ").lstrip()) for case in cases
    )
    path = directory / "policy-test.yaml"
    path.write_text(f"files: [environments.yaml]\nenvironment: {environment}\ncases:\n{entries}")
    return await run(path)


async def ran_one(directory: Path, case: str, environment: str = "production") -> CaseReport:
    (report,) = (await ran(directory, case, environment=environment)).cases
    return report


def outcomes(report: CaseReport) -> dict[str, Outcome]:
    return {finding.name: finding.outcome for finding in report.findings}


async def test_friday_17_00_berlin_with_one_of_two_approvals_and_24_hours_soak(
    directory: Path,
) -> None:
    report = await ran_one(
        directory,
        f"""
        name: friday afternoon
        now: 2026-03-06T17:00 Europe/Berlin
        votes: [{{user: bob}}]
        {indent(GOOD.strip(), "        ").lstrip()}
        expect:
          decision: wait
          gates:
            approval: {{outcome: waiting, who: [carol, dave], reason_contains: 1 of 2}}
            freeze_window: {{outcome: waiting, until: 2026-03-09T08:00 Europe/Berlin}}
            previous_environment: passed
            security: passed
        """,
    )
    assert report.problems == ()
    assert report.decision is Verdicts.WAIT
    freeze = next(each for each in report.findings if each.name == "freeze_window")
    assert freeze.until == datetime(2026, 3, 9, 7, tzinfo=UTC)


async def test_an_hour_before_the_freeze_with_all_approvals_it_is_allowed(directory: Path) -> None:
    report = await ran_one(
        directory,
        f"""
        name: friday noon
        now: 2026-03-06T15:00 Europe/Berlin
        votes: [{{user: bob}}, {{user: dave}}]
        {indent(GOOD.strip(), "        ").lstrip()}
        expect: {{decision: allow}}
        """,
    )
    assert (report.decision, report.problems) == (Verdicts.ALLOW, ())


@pytest.mark.parametrize(
    ("change", "gate", "outcome"),
    [
        ("votes: [{user: bob}, {user: requester}]", "approval", Outcome.WAITING),
        ("votes: [{user: bob}, {user: dave, decision: reject}]", "approval", Outcome.FAILED),
        (
            "standings: {staging: {soaked: 23h59m, steps: [{node: smoke}]}}",
            "previous_environment",
            Outcome.WAITING,
        ),
        (
            "standings: {staging: {soaked: 24h, steps: [{node: smoke, status: failed}]}}",
            "previous_environment",
            Outcome.FAILED,
        ),
        (
            "standings: {staging: {soaked: 48h, is_current: false, steps: [{node: smoke}]}}",
            "previous_environment",
            Outcome.FAILED,
        ),
        ("standings: {}", "previous_environment", Outcome.FAILED),
        ("release: {name: web}", "security", Outcome.FAILED),
        ("freezes: [{name: outage, stops_the_line: true}]", "freeze_window", Outcome.FAILED),
    ],
)
async def test_each_fact_of_a_case_reaches_its_gate(
    directory: Path, change: str, gate: str, outcome: Outcome
) -> None:
    lines = {
        "votes": "votes: [{user: bob}, {user: dave}]",
        "standings": "standings: {staging: {soaked: 24h, steps: [{node: smoke}]}}",
        "release": "release: {components: "
        "[{name: web, attachments: [{path: report.json, format: trivy-json}]}]}",
    }
    lines[change.partition(":")[0]] = change
    facts = "\n        ".join(lines.values())
    report = await ran_one(
        directory,
        f"""
        name: changed
        now: 2026-03-04T12:00:00Z
        open_for: 1h
        {facts}
        expect: {{decision: allow}}
        """,
    )
    found = outcomes(report)
    assert found.pop(gate) is outcome
    assert set(found.values()) <= {Outcome.PASSED}
    assert report.problems


async def test_a_rollback_skips_the_gates_that_do_not_hold_for_it(directory: Path) -> None:
    report = await ran_one(
        directory,
        """
        name: back again
        now: 2026-03-07T12:00:00Z
        rollback: true
        expect:
          decision: allow
          gates: {approval: skipped, freeze_window: skipped, security: skipped}
        """,
    )
    assert report.problems == ()
    security = next(each for each in report.findings if each.name == "security")
    assert "its condition is not met" in security.reason


async def test_a_gate_that_calls_out_says_what_the_case_gives_and_is_else_unknown(
    directory: Path,
) -> None:
    report = await ran(
        directory,
        """
        name: given
        now: 2026-03-04T12:00:00Z
        answers: {cab: {verdict: allow, reason: ticket 7}}
        expect: {decision: allow, gates: {cab: {outcome: passed, reason_contains: ticket 7}}}
        """,
        """
        name: not given
        now: 2026-03-04T12:00:00Z
        expect: {decision: unknown}
        """,
        environment="outside",
    )
    assert report.has_passed
    given, absent = report.cases
    assert given.findings[0].basis is Basis.GIVEN
    assert absent.findings[0].basis is Basis.NONE


async def test_a_wrong_expectation_fails_with_what_the_gate_said_and_junit_tells_it(
    directory: Path,
) -> None:
    report = await ran(
        directory,
        """
        name: too hopeful
        now: 2026-03-07T12:00:00Z
        expect: {decision: allow, gates: {previous_environment: passed}}
        """,
        """
        name: right
        now: 2026-03-07T12:00:00Z
        expect: {decision: deny}
        """,
    )
    hopeful, right = report.cases
    assert not report.has_passed
    assert right.has_passed
    assert hopeful.problems[0] == "the decision is deny, not allow"
    assert "has not succeeded in staging" in hopeful.problems[1]

    root = ElementTree.fromstring(junit([report]))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    (failure,) = root.iter("failure")
    assert failure.get("message") == "the decision is deny, not allow"
    assert [case.get("name") for case in root.iter("testcase")] == ["too hopeful", "right"]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("name: x\nnow: 2026-03-06T17:00\nexpect: {decision: allow}", "has no time zone"),
        ("name: x\nnow: 2026-03-06T17:00 Mars/Dome\nexpect: {decision: allow}", "is no moment"),
        ("name: x\nnow: tomorrow\nexpect: {decision: allow}", "is no moment"),
        (
            "name: x\nnow: 2026-03-06T17:00:00Z\nexpect: {decision: deny, gates: {frieze: failed}}",
            "has no gate 'frieze'",
        ),
        (
            "name: x\nnow: 2026-03-06T17:00:00Z\nenvironment: qa\nexpect: {decision: allow}",
            "there is no environment 'qa'",
        ),
        (
            "name: x\nnow: 2026-03-06T17:00:00Z\nexpected: {decision: allow}",
            "expected: is not a known field",
        ),
        ("name: x\nnow: 2026-03-06T17:00:00Z\nexpect: {decision: maybe}", "decision"),
        (
            "name: x\nnow: 2026-03-06T17:00:00Z\nexpect: {decision: allow}\n"
            "standings: {staging: {}}",
            "give either soaked or succeeded_at",
        ),
        (
            "name: x\nnow: 2026-03-06T17:00:00Z\nexpect: {decision: allow}\n"
            "release: {components: [{name: web, attachments: "
            "[{path: gone.json, format: sarif}]}]}",
            "gone.json cannot be read",
        ),
    ],
)
async def test_a_malformed_case_is_told_with_its_place(
    directory: Path, case: str, told: str
) -> None:
    with pytest.raises(InputError, match=r"policy-test\.yaml:\d+") as refused:
        await ran_one(directory, case)
    assert told in str(refused.value)


async def test_signed_votes_count_only_of_people_with_a_registered_key(tmp_path: Path) -> None:
    pem = make_key(tmp_path / "bob.pem", KeyKind.P256).public_pem
    (tmp_path / "environments.yaml").write_text(
        "groups: {leads: [bob, carol]}\n"
        f"keys: {{bob: [{{public_key: {json.dumps(pem)}, until: 2026-04-01T00:00:00Z}}]}}\n"
        "environments:\n  - name: production\n    targets: [{name: t1, agent: a1}]\n"
        "    gates: [{type: approval, config: {required: 1, users: [bob], signed: true}}]\n"
    )
    case = """
        name: {name}
        now: {now}
        votes: [{{user: bob, signed: {signed}}}]
        expect: {{decision: {decision}}}
        """
    report = await ran(
        tmp_path,
        case.format(name="signed", now="2026-03-04T12:00:00Z", signed="true", decision="allow"),
        case.format(name="unsigned", now="2026-03-04T12:00:00Z", signed="false", decision="wait"),
        case.format(name="too late", now="2026-04-01T00:00:00Z", signed="true", decision="deny"),
    )
    assert [each.problems for each in report.cases] == [(), (), ()]


async def test_a_rule_reads_what_the_other_gates_said_and_waits_for_those_that_wait(
    tmp_path: Path,
) -> None:
    rule = """{name: agreed, expression: 'gates["approval"].outcome == "passed"'}"""
    (tmp_path / "environments.yaml").write_text(
        "groups: {leads: [bob]}\nenvironments:\n  - name: production\n"
        "    targets: [{name: t1, agent: a1}]\n    gates:\n"
        "      - {type: approval, config: {required: 1, groups: [leads]}}\n"
        f"      - {{type: policy, name: rules, config: {{rules: [{rule}]}}}}\n"
    )
    report = await ran(
        tmp_path,
        """
        name: agreed
        now: 2026-03-04T12:00:00Z
        votes: [{user: bob}]
        expect: {decision: allow, gates: {rules: passed}}
        """,
        """
        name: not yet
        now: 2026-03-04T12:00:00Z
        expect: {decision: wait, gates: {rules: {outcome: waiting, reason_contains: approval}}}
        """,
    )
    assert [each.problems for each in report.cases] == [(), ()]
