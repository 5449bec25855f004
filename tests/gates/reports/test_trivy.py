from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import GateError
from engine.gates.reports.finding import Finding, Fix, Severity
from engine.gates.reports.trivy import parse
from tests.gates.trivy_reports import document, report, vulnerability


def _broken(**changes: Any) -> bytes:
    return json.dumps(document(vulnerability("CVE-1", "LOW") | changes)).encode()


def test_every_severity_is_counted_and_misconfigurations_are_not() -> None:
    parsed = parse(
        report(
            ("CVE-1", "CRITICAL"),
            ("CVE-2", "HIGH"),
            ("CVE-3", "HIGH"),
            ("CVE-4", "MEDIUM"),
            ("CVE-5", "LOW"),
            ("CVE-6", "UNKNOWN"),
        )
    )
    assert parsed.counts == {
        Severity.CRITICAL: 1,
        Severity.HIGH: 2,
        Severity.MEDIUM: 1,
        Severity.LOW: 1,
        Severity.UNKNOWN: 1,
    }


def test_a_finding_keeps_its_package_and_versions() -> None:
    assert parse(report(("CVE-2024-0727", "MEDIUM"))).findings == (
        Finding(
            id="CVE-2024-0727",
            severity=Severity.MEDIUM,
            package="libssl3",
            place="libssl3@3.0.11-1",
            installed_version="3.0.11-1",
            fix=Fix.AVAILABLE,
            fixed_version="3.0.13-1",
        ),
    )


def test_one_vulnerability_in_two_packages_counts_twice() -> None:
    both = document(
        vulnerability("CVE-1", "HIGH", "libssl3"), vulnerability("CVE-1", "HIGH", "libcrypto3")
    )
    assert parse(json.dumps(both).encode()).counts[Severity.HIGH] == 2


@pytest.mark.parametrize("results", ["absent", None, []])
def test_a_clean_scan_has_no_findings(results: object) -> None:
    clean = document()
    if results == "absent":
        del clean["Results"]
    else:
        clean["Results"] = results
    assert parse(json.dumps(clean).encode()).findings == ()


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "EOF"),
        (b"{", "EOF"),
        (b"\xff\xfe{\x00}\x00", "expected value"),
        (b"null", "object"),
        (b"[]", "object"),
        (b"{}", "SchemaVersion"),
        (b'{"SchemaVersion": 2}', "ArtifactName"),
        (b'{"SchemaVersion": 1, "ArtifactName": "web"}', "SchemaVersion"),
        (b'{"SchemaVersion": "2", "ArtifactName": "web"}', "SchemaVersion"),
        (b'{"SchemaVersion": 2, "ArtifactName": "web", "Results": {}}', "Results"),
        (b'{"bomFormat": "CycloneDX", "specVersion": "1.5"}', "SchemaVersion"),
        (_broken(Severity="SEVERE"), "Results.0.Vulnerabilities.0.Severity"),
        (_broken(Severity="critical"), "Results.0.Vulnerabilities.0.Severity"),
        (_broken(Severity=None), "Results.0.Vulnerabilities.0.Severity"),
        (_broken(VulnerabilityID=""), "Results.0.Vulnerabilities.0.VulnerabilityID"),
        (_broken(PkgName=7), "Results.0.Vulnerabilities.0.PkgName"),
        (b"[" * 100_000, "recursion"),
        (b'{"SchemaVersion": ' + b"9" * 100_000 + b"}", ""),
    ],
)
def test_a_malformed_report_is_refused_with_the_place(data: bytes, where: str) -> None:
    with pytest.raises(GateError, match="not a JSON report of Trivy") as caught:
        parse(data)
    assert where in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_missing_severity_is_refused_rather_than_taken_for_harmless() -> None:
    entry = vulnerability("CVE-1", "CRITICAL")
    del entry["Severity"]
    with pytest.raises(GateError, match="Severity"):
        parse(json.dumps(document(entry)).encode())


def test_a_vendors_ids_are_aliases_and_a_finding_without_fixed_version_has_no_fix() -> None:
    entry = vulnerability("CVE-1", "HIGH") | {"VendorIDs": ["RHSA-1"], "FixedVersion": ""}
    found = parse(json.dumps(document(entry)).encode()).findings[0]
    assert (found.aliases, found.fix) == (("RHSA-1",), Fix.NONE)


def test_the_zero_time_of_go_is_no_time() -> None:
    undated = document() | {"CreatedAt": "0001-01-01T00:00:00Z"}
    assert parse(json.dumps(undated).encode()).created_at is None


_SEVERITIES = st.sampled_from(["CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN"])


@settings(deadline=None)
@given(st.lists(_SEVERITIES, max_size=30))
def test_counts_are_those_of_what_was_written(severities: list[str]) -> None:
    counts = parse(report(*(("CVE-1", severity) for severity in severities))).counts
    assert {severity.value.upper(): counts[severity] for severity in Severity} == {
        severity.upper(): severities.count(severity.upper()) for severity in Severity
    }
