"""What the parsers read from whole files, against what the files say of themselves elsewhere."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.gates.reports import cyclonedx
from engine.gates.reports.finding import Fix, Report, Severity
from engine.gates.reports.merged import merge
from tests.gates.reports.samples import CLEAN_IMAGE, IMAGE, NAMES, loaded, parse, read

# critical, high, medium, low, unknown; is it a scan; does it name the image
EXPECTED = {
    "image.trivy.json": ((3, 3, 9, 2, 1), True, IMAGE),
    "image.trivy.sarif": ((3, 3, 9, 2, 1), True, IMAGE),
    # Red Hat rates two of the low ones medium, and the highest rating counts.
    "image.trivy.cdx.json": ((3, 3, 11, 0, 1), True, IMAGE),
    "image.grype.json": ((3, 3, 11, 0, 0), True, IMAGE),
    "image.grype.sarif": ((3, 3, 11, 0, 0), True, None),
    "image.grype.cdx.json": ((3, 3, 11, 0, 0), True, IMAGE),
    "suppressed.trivy.json": ((1, 2, 9, 2, 1), True, IMAGE),
    "ignored.grype.json": ((3, 2, 11, 0, 0), True, IMAGE),
    "directory.trivy.json": ((1, 1, 2, 0, 1), True, None),
    "directory.grype.json": ((1, 1, 2, 0, 0), True, None),
    "clean.trivy.json": ((0, 0, 0, 0, 0), True, CLEAN_IMAGE),
    "clean.trivy.sarif": ((0, 0, 0, 0, 0), True, CLEAN_IMAGE),
    "clean.trivy.cdx.json": ((0, 0, 0, 0, 0), False, CLEAN_IMAGE),
    "clean.grype.json": ((0, 0, 0, 0, 0), True, CLEAN_IMAGE),
    "clean.grype.cdx.json": ((0, 0, 0, 0, 0), True, CLEAN_IMAGE),
    "image-parts.trivy.cdx.json": ((0, 0, 0, 0, 0), False, IMAGE),
    "image.syft.cdx.json": ((0, 0, 0, 0, 0), False, IMAGE),
    "misconfiguration.trivy.json": ((0, 0, 0, 0, 0), False, None),
    "vex.cdx.json": ((0, 0, 0, 0, 2), False, None),
    "vexed-bom.trivy.json": ((2, 2, 8, 2, 1), True, None),
    "code.bandit.sarif": ((0, 2, 1, 2, 0), True, None),
    "workflow.zizmor.sarif": ((0, 3, 2, 0, 0), True, None),
}


def test_no_file_is_left_out() -> None:
    assert sorted(EXPECTED) == list(NAMES)


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items())
def test_a_file_is_read_to_its_counts_kind_and_subject(
    name: str, expected: tuple[tuple[int, ...], bool, str | None]
) -> None:
    counts, is_scan, subject = expected
    report = parse(name)
    assert tuple(report.counts.values()) == counts
    assert report.is_scan is is_scan
    assert (subject in report.subjects) if subject else report.subjects == ()


def _trivy_own_count(name: str) -> Counter[str]:
    return Counter(
        each["Severity"].lower()
        for result in loaded(name).get("Results", [])
        for each in result.get("Vulnerabilities", [])
    )


@pytest.mark.parametrize("name", [each for each in NAMES if each.endswith(".trivy.json")])
def test_counts_are_those_that_trivy_writes_into_its_entries(name: str) -> None:
    assert _told(parse(name)) == _trivy_own_count(name)


def test_counts_of_trivys_sarif_are_those_that_trivy_writes_into_the_messages() -> None:
    messages = [
        each["message"]["text"] for each in loaded("image.trivy.sarif")["runs"][0]["results"]
    ]
    severities = Counter(text.split("Severity: ")[1].split("\n")[0].lower() for text in messages)
    assert _told(parse("image.trivy.sarif")) == severities


def test_counts_of_bandits_sarif_are_those_of_its_own_metrics() -> None:
    totals = loaded("code.bandit.sarif")["runs"][0]["properties"]["metrics"]["_totals"]
    told = _told(parse("code.bandit.sarif"))
    assert {severity: told[severity] for severity in ("high", "medium", "low")} == {
        severity: totals[f"SEVERITY.{severity.upper()}"] for severity in ("high", "medium", "low")
    }


def test_the_same_scan_says_the_same_in_trivys_json_and_sarif() -> None:
    assert _keys("image.trivy.json") == _keys("image.trivy.sarif")


def test_the_same_scan_says_the_same_in_trivys_bom_when_the_sources_are_those_of_trivy() -> None:
    bom = cyclonedx.parse(read("image.trivy.cdx.json"), ("ghsa", "NVD"))
    assert _keys_of(bom) == _keys("image.trivy.json")


def test_vex_settles_what_it_settles_for_trivy() -> None:
    modified = {
        (each["Finding"]["VulnerabilityID"], each["Finding"]["PkgName"].lower())
        for result in loaded("vexed-bom.trivy.json")["Results"]
        for each in result.get("ExperimentalModifiedFindings", [])
    }
    found = merge([parse("image.trivy.cdx.json"), parse("vex.cdx.json")])
    assert {(each.id, each.package.lower()) for each in found if each.settled_by} == modified
    assert len(modified) == 3


def test_what_a_scanner_was_told_to_ignore_is_counted_apart() -> None:
    assert parse("suppressed.trivy.json").suppressed == 3
    assert parse("ignored.grype.json").suppressed == 1


@pytest.mark.parametrize(
    ("name", "tool", "is_dated"),
    [
        ("directory.trivy.json", "Trivy", True),
        ("image.trivy.sarif", "Trivy 0.59.1", False),
        ("image.trivy.cdx.json", "trivy 0.59.1", True),
        ("image.grype.json", "Grype 0.104.0", True),
        ("image.grype.sarif", "grype 0.104.0", False),
        ("code.bandit.sarif", "Bandit 1.9.4", True),
        ("workflow.zizmor.sarif", "zizmor 1.32.0", False),
    ],
)
def test_tool_and_time_are_read(name: str, tool: str, is_dated: bool) -> None:
    report = parse(name)
    assert report.tool == tool
    assert (report.created_at is not None) is is_dated


def test_only_what_a_report_calls_unfixed_is_unfixed() -> None:
    assert {each.id for each in parse("image.trivy.json").findings if each.fix is Fix.NONE} == {
        "CVE-2024-29415"
    }
    assert {each.id for each in parse("image.grype.json").findings if each.fix is Fix.NONE} == {
        "GHSA-2p57-rm9w-gvfp"
    }
    assert {each.fix for each in parse("image.grype.cdx.json").findings} == {Fix.UNTOLD}


def test_findings_name_package_version_and_fix() -> None:
    for name in ("image.trivy.json", "image.trivy.sarif", "image.trivy.cdx.json"):
        found = {each.id: each for each in parse(name).findings}["CVE-2024-42005"]
        assert (found.package.lower(), found.installed_version, found.fixed_version) == (
            "django",
            "4.2.10",
            "4.2.15",
        )


def _told(report: Report) -> Counter[str]:
    return Counter({str(each): count for each, count in report.counts.items() if count})


def _keys(name: str) -> set[tuple[str, str, Severity, Fix, str]]:
    return _keys_of(parse(name))


def _keys_of(report: Report) -> set[tuple[str, str, Severity, Fix, str]]:
    return {
        (found.id, found.place, found.severity, found.fix, found.fixed_version)
        for found in merge([report])
    }
