from __future__ import annotations

from typing import Any

import pytest

from engine.errors import GateError
from engine.gates.reports.finding import Fix, Severity
from engine.gates.reports.merged import merge
from engine.gates.reports.sarif import parse
from tests.gates.reports.samples import dumped, loaded

HASH = "ab" * 32
PLACE = {
    "physicalLocation": {
        "artifactLocation": {"uri": "src/db.py"},
        "region": {"startLine": 12, "startColumn": 5},
    }
}


def _result(**changes: Any) -> dict[str, Any]:
    return {
        "ruleId": "py/sql-injection",
        "message": {"text": "a query is built from user input"},
        "locations": [PLACE],
    } | changes


def _run(*results: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "tool": {"driver": {"name": "CodeQL", "semanticVersion": "2.19.0", "rules": []}},
        "results": list(results),
    } | changes


def _log(*runs: dict[str, Any]) -> bytes:
    return dumped({"version": "2.1.0", "runs": list(runs)})


def _tool(rule: dict[str, Any]) -> dict[str, Any]:
    return {"driver": {"name": "CodeQL", "rules": [{"id": "py/sql-injection"} | rule]}}


def _severity(result: dict[str, Any], rule: dict[str, Any] | None = None) -> Severity:
    run = _run(result, tool=_tool(rule or {}))
    return parse(_log(run)).findings[0].severity


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        ("10.0", Severity.CRITICAL),
        ("9.0", Severity.CRITICAL),
        ("8.9", Severity.HIGH),
        ("7.0", Severity.HIGH),
        ("6.9", Severity.MEDIUM),
        ("4.0", Severity.MEDIUM),
        ("3.9", Severity.LOW),
        ("0.1", Severity.LOW),
        ("0.0", Severity.UNKNOWN),
        (8.8, Severity.HIGH),
    ],
)
def test_a_rules_security_severity_is_read_as_github_reads_it(
    score: object, severity: Severity
) -> None:
    rule = {"properties": {"security-severity": score}}
    assert _severity(_result(level="note"), rule) is severity


@pytest.mark.parametrize(
    ("result", "rule", "severity"),
    [
        ({"level": "error"}, {}, Severity.HIGH),
        ({"level": "warning"}, {}, Severity.MEDIUM),
        ({"level": "note"}, {}, Severity.LOW),
        ({"level": "none"}, {}, Severity.UNKNOWN),
        ({}, {}, Severity.MEDIUM),
        ({}, {"defaultConfiguration": {"level": "error"}}, Severity.HIGH),
        ({"level": "note"}, {"defaultConfiguration": {"level": "error"}}, Severity.LOW),
        ({"properties": {"security-severity": "9.1"}}, {}, Severity.CRITICAL),
    ],
)
def test_without_it_the_level_counts(
    result: dict[str, Any], rule: dict[str, Any], severity: Severity
) -> None:
    assert _severity(_result(**result), rule) is severity


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"kind": "fail"}, True),
        ({"kind": "open"}, True),
        ({"kind": "review"}, True),
        ({"kind": "pass"}, False),
        ({"kind": "notApplicable"}, False),
        ({"kind": "informational"}, False),
        ({"baselineState": "unchanged"}, True),
        ({"baselineState": "absent"}, False),
        ({"suppressions": []}, True),
        ({"suppressions": [{"kind": "inSource"}]}, False),
        ({"suppressions": [{"kind": "external", "status": "accepted"}]}, False),
        ({"suppressions": [{"kind": "external", "status": "underReview"}]}, True),
        ({"suppressions": [{"kind": "external", "status": "rejected"}]}, True),
        ({"suppressions": [{"kind": "inSource"}, {"status": "rejected"}]}, True),
    ],
)
def test_a_result_counts_unless_it_is_none_or_put_aside(
    changes: dict[str, Any], counts: bool
) -> None:
    assert len(parse(_log(_run(_result(**changes)))).findings) == counts


@pytest.mark.parametrize(
    "result",
    [
        {"ruleIndex": 1},
        {"ruleId": "the-rule"},
        {"ruleId": "the-rule/its-case"},
        {"rule": {"index": 1}},
        {"ruleId": "", "rule": {"id": "the-rule"}},
        {"ruleId": "in-extension", "rule": {"index": 0, "toolComponent": {"index": 1}}},
    ],
)
def test_a_rule_is_found_in_each_way_that_sarif_has(result: dict[str, Any]) -> None:
    scored = {"properties": {"security-severity": "9.8"}}
    tool = {
        "driver": {"name": "CodeQL", "rules": [{"id": "other"}, {"id": "the-rule"} | scored]},
        "extensions": [
            {"name": "empty"},
            {"name": "codeql/python-queries", "rules": [{"id": "in-extension"} | scored]},
        ],
    }
    named = {"ruleId": "the-rule"} | result
    found = parse(_log(_run(_result(**named), tool=tool))).findings[0]
    assert found.severity is Severity.CRITICAL


def test_a_weakness_is_at_its_file_and_line_and_its_fix_is_untold() -> None:
    found = parse(_log(_run(_result()))).findings[0]
    assert (found.id, found.package, found.fix) == (
        "py/sql-injection",
        "src/db.py:12:5",
        Fix.UNTOLD,
    )


def test_two_places_are_two_weaknesses_and_one_place_in_two_runs_is_one() -> None:
    other = {"physicalLocation": {"artifactLocation": {"uri": "test/db.py"}}}
    report = parse(_log(_run(_result(), _result(locations=[other])), _run(_result())))
    assert len(merge([report])) == 2


def test_results_without_a_place_are_never_taken_for_one() -> None:
    report = parse(_log(_run(_result(locations=[]), _result(locations=[]))))
    assert len(merge([report])) == 2


def test_the_oldest_run_dates_the_log() -> None:
    times = [{"startTimeUtc": "2026-03-01T10:00:00Z", "endTimeUtc": "2026-03-01T10:05:00.123Z"}]
    older = [{"endTimeUtc": "2026-02-01T00:00:00Z"}]
    both = parse(_log(_run(invocations=times), _run(invocations=older)))
    assert both.created_at is not None
    assert both.created_at.month == 2
    assert parse(_log(_run(invocations=times), _run())).created_at is None


def test_analysed_files_with_hashes_are_the_subject_and_others_are_not() -> None:
    artifacts = [
        {"location": {"uri": "web"}, "roles": ["analysisTarget"], "hashes": {"sha-256": HASH}},
        {"location": {"uri": "web.pdb"}, "hashes": {"sha-256": "cd" * 32}},
    ]
    assert parse(_log(_run(artifacts=artifacts))).subjects == (f"sha256:{HASH}",)


def test_a_byte_order_mark_is_read_over() -> None:
    assert len(parse(b"\xef\xbb\xbf" + _log(_run(_result()))).findings) == 1


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "EOF"),
        (b"{}", "version"),
        (dumped({"version": "2.0.0", "runs": []}), "version"),
        (dumped({"version": "2.1.0"}), "runs"),
        (dumped({"version": "2.1.0", "runs": None}), "runs"),
        (_log(), "runs"),
        (_log(_run() | {"tool": {}}), "runs.0.tool.driver"),
        (_log(_run() | {"results": None}), "runs.0.results"),
        (
            _log(_run(results=None, externalPropertyFileReferences={"results": [{}]})),
            "runs.0.results: are in other files",
        ),
        (
            _log(_run(), _run(invocations=[{"executionSuccessful": False}])),
            "runs.1.invocations.0.executionSuccessful",
        ),
        (_log(_run(invocations=[{"endTimeUtc": "noon"}])), "runs.0.invocations.0"),
        (_log(_run(_result(level="fatal"))), "runs.0.results.0.level"),
        (_log(_run(_result(kind="bad"))), "runs.0.results.0.kind"),
        (_log(_run(_result(), _result(ruleId=""))), "runs.0.results.1.ruleId"),
        (_log(_run(_result(properties={"security-severity": "high"}))), "runs.0.results.0"),
        (_log(_run(_result(properties={"security-severity": "11"}))), "runs.0.results.0"),
        (_log(_run(_result(properties={"security-severity": "nan"}))), "runs.0.results.0"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_log_that_is_no_result_of_a_scan_is_refused_with_the_place(
    data: bytes, where: str
) -> None:
    with pytest.raises(GateError) as caught:
        parse(data)
    assert where in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_package_is_read_only_from_the_texts_of_those_who_write_them() -> None:
    document = loaded("image.grype.sarif")
    assert {each.place for each in parse(dumped(document)).findings} >= {"django@4.2.10"}
    document["runs"][0]["tool"]["driver"]["name"] = "another"
    assert not {each.place for each in parse(dumped(document)).findings} & {"django@4.2.10"}


def test_a_message_that_is_slow_to_match_is_not() -> None:
    run = loaded("image.grype.sarif")["runs"][0]
    run["results"] = [run["results"][0]]
    text = "A high vulnerability in x package: " + "y, version " * 200_000
    run["results"][0]["message"]["text"] = text
    (found,) = parse(_log(run)).findings
    assert found.id == "GHSA-pv4p-cwwg-4rph-django"


def test_grypes_message_about_a_package_of_no_type_is_read() -> None:
    run = loaded("image.grype.sarif")["runs"][0]
    result = run["results"][0]
    result["message"]["text"] = result["message"]["text"].replace("python package", " package")
    assert parse(_log(run)).findings[0].place == "django@4.2.10"
