from __future__ import annotations

from typing import Any

import pytest

from engine.errors import GateError
from engine.gates.reports.finding import Fix, Severity
from engine.gates.reports.grype import parse
from tests.gates.reports.samples import dumped, loaded


def _document() -> Any:
    return loaded("image.grype.json")


def _first(**changes: Any) -> bytes:
    document = _document()
    document["matches"][0]["vulnerability"] |= changes
    return dumped(document)


@pytest.mark.parametrize(
    ("written", "severity"),
    [
        ("Critical", Severity.CRITICAL),
        ("High", Severity.HIGH),
        ("Medium", Severity.MEDIUM),
        ("Low", Severity.LOW),
        ("Negligible", Severity.LOW),
        ("Unknown", Severity.UNKNOWN),
        ("", Severity.UNKNOWN),
    ],
)
def test_each_severity_has_its_counterpart(written: str, severity: Severity) -> None:
    assert parse(_first(severity=written)).findings[0].severity is severity


@pytest.mark.parametrize(
    ("fix", "expected"),
    [
        ({"versions": ["1.1", "1.2"], "state": "fixed"}, (Fix.AVAILABLE, "1.1, 1.2")),
        ({"versions": [], "state": "not-fixed"}, (Fix.NONE, "")),
        ({"versions": [], "state": "wont-fix"}, (Fix.NONE, "")),
        ({"versions": None, "state": "unknown"}, (Fix.NONE, "")),
    ],
)
def test_a_finding_has_a_fix_as_for_grypes_own_only_fixed(
    fix: dict[str, Any], expected: tuple[Fix, str]
) -> None:
    found = parse(_first(fix=fix)).findings[0]
    assert (found.fix, found.fixed_version) == expected


def test_related_vulnerabilities_are_aliases() -> None:
    found = parse(dumped(_document())).findings[0]
    assert (found.id, found.aliases) == ("GHSA-pv4p-cwwg-4rph", ("CVE-2024-42005",))


@pytest.mark.parametrize(
    "source", [None, {"type": "unknown", "target": "unknown"}, {"type": "file", "target": "a.tar"}]
)
def test_a_source_that_is_no_image_names_no_subject(source: object) -> None:
    assert parse(dumped(_document() | {"source": source})).subjects == ()


def test_an_empty_match_list_of_go_is_a_clean_scan() -> None:
    assert parse(dumped(_document() | {"matches": None})).findings == ()


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "EOF"),
        (b"{}", "matches"),
        (dumped(_document() | {"matches": {}}), "matches"),
        (dumped(_document() | {"descriptor": {"name": "syft"}}), "descriptor.name"),
        (dumped(_document() | {"source": {"target": 7}}), "source.target"),
        (_first(id=""), "matches.0.vulnerability.id"),
        (_first(severity="Severe"), "matches.0.vulnerability.severity"),
        (_first(fix="none"), "matches.0.vulnerability.fix"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_malformed_report_is_refused_with_the_place(data: bytes, where: str) -> None:
    with pytest.raises(GateError, match="not a JSON report of Grype") as caught:
        parse(data)
    assert where in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_time_that_is_none_is_refused_with_the_place() -> None:
    broken = _document()
    broken["descriptor"]["timestamp"] = "yesterday"
    with pytest.raises(GateError, match=r"descriptor\.timestamp: 'yesterday' is no time"):
        parse(dumped(broken))
