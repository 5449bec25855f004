from __future__ import annotations

from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from engine.errors import GateError
from engine.gates.reports.cyclonedx import parse
from engine.gates.reports.finding import WHOLE, Analysis, Fix, Severity
from tests.gates.reports.samples import NAMES, dumped, loaded, read

FILES = [name for name in NAMES if name.endswith(".cdx.json")]
SERIAL = "3e671687-395b-41f5-a30f-a58921a69b79"
PURL = "pkg:maven/com.fasterxml.jackson.core/jackson-databind@2.10.0?type=jar"


def _bom(*vulnerabilities: dict[str, Any], **changes: Any) -> bytes:
    return dumped(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{SERIAL}",
            "version": 1,
            "metadata": {
                "timestamp": "2026-03-01T00:00:00Z",
                "component": {"bom-ref": "product", "name": "web", "version": "1.0.0"},
            },
            "components": [
                {
                    "bom-ref": "outer",
                    "name": "outer",
                    "version": "1",
                    "components": [
                        {
                            "bom-ref": "part",
                            "group": "com.fasterxml.jackson.core",
                            "name": "jackson-databind",
                            "version": "2.10.0",
                            "purl": PURL,
                        }
                    ],
                }
            ],
            "vulnerabilities": list(vulnerabilities),
        }
        | changes
    )


def _vulnerability(**changes: Any) -> dict[str, Any]:
    return {"id": "CVE-2020-25649", "affects": [{"ref": "part"}]} | changes


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_valid_and_an_independent_library_finds_as_many(name: str) -> None:
    document = loaded(name)
    version = SchemaVersion[f"V{document['specVersion'].replace('.', '_')}"]
    assert JsonStrictValidator(version).validate_str(read(name).decode()) is None
    theirs = Bom.from_json(document)  # type: ignore[attr-defined]  # Made by its decorator.
    pairs = sum(len(each.affects) for each in theirs.vulnerabilities)
    ours = parse(read(name))
    settled = sum(each.state.settles for each in ours.statements)
    assert len(ours.findings) + settled == pairs


@pytest.mark.parametrize(
    ("ratings", "severity"),
    [
        (None, Severity.UNKNOWN),
        ([], Severity.UNKNOWN),
        ([{"severity": "critical"}], Severity.CRITICAL),
        ([{"severity": "info"}], Severity.LOW),
        ([{"severity": "none"}], Severity.LOW),
        ([{"severity": "unknown"}], Severity.UNKNOWN),
        ([{"severity": "low"}, {"severity": "high"}], Severity.HIGH),
        ([{"severity": "unknown"}, {"severity": "low"}], Severity.LOW),
        ([{"severity": "low", "score": 9.8, "method": "CVSSv31"}], Severity.LOW),
        ([{"score": 9.8, "method": "CVSSv31"}], Severity.CRITICAL),
        ([{"score": 7.0, "method": "CVSSv4"}], Severity.HIGH),
        ([{"score": 0.03, "method": "EPSS"}], Severity.UNKNOWN),
        ([{"score": 1, "method": "other"}, {"severity": "medium"}], Severity.MEDIUM),
    ],
)
def test_the_highest_rating_counts(ratings: object, severity: Severity) -> None:
    assert parse(_bom(_vulnerability(ratings=ratings))).findings[0].severity is severity


@pytest.mark.parametrize(
    ("sources", "severity"),
    [
        ((), Severity.CRITICAL),
        (("nvd",), Severity.CRITICAL),
        (("Red Hat", "nvd"), Severity.LOW),
        (("ghsa", "red hat"), Severity.LOW),
        (("ghsa",), Severity.CRITICAL),
    ],
)
def test_the_first_source_that_rates_it_goes_before(
    sources: tuple[str, ...], severity: Severity
) -> None:
    ratings = [
        {"source": {"name": "NVD"}, "severity": "critical"},
        {"source": {"name": "Red Hat"}, "severity": "low"},
    ]
    report = parse(_bom(_vulnerability(ratings=ratings)), sources)
    assert report.findings[0].severity is severity


@pytest.mark.parametrize(
    ("changes", "fix", "version"),
    [
        ({}, Fix.UNTOLD, ""),
        ({"recommendation": "Upgrade to a newer one"}, Fix.AVAILABLE, ""),
        ({"analysis": {"response": ["update"]}}, Fix.AVAILABLE, ""),
        ({"analysis": {"response": ["will_not_fix"]}}, Fix.NONE, ""),
        ({"analysis": {"response": ["can_not_fix", "workaround_available"]}}, Fix.NONE, ""),
    ],
)
def test_a_fix_is_told_by_recommendation_and_response(
    changes: dict[str, Any], fix: Fix, version: str
) -> None:
    found = parse(_bom(_vulnerability(**changes))).findings[0]
    assert (found.fix, found.fixed_version) == (fix, version)


def test_each_affected_part_is_a_finding_and_parts_inside_parts_are_known() -> None:
    affects = [{"ref": "outer"}, {"ref": "part"}]
    found = parse(_bom(_vulnerability(affects=affects))).findings
    assert [each.place for each in found] == ["outer@1", "jackson-databind@2.10.0"]
    assert found[1].package == "com.fasterxml.jackson.core/jackson-databind"


@pytest.mark.parametrize(
    ("versions", "counts"),
    [
        ([], True),
        ([{"version": "2.10.0"}], True),
        ([{"version": "2.10.0", "status": "affected"}], True),
        ([{"version": "2.10.0", "status": "unknown"}], True),
        ([{"version": "2.10.0", "status": "unaffected"}], False),
        ([{"version": "2.10.0", "status": "unaffected"}, {"range": "vers:maven/>3"}], True),
    ],
)
def test_a_part_counts_unless_all_its_versions_are_unaffected(
    versions: list[dict[str, str]], counts: bool
) -> None:
    affects = [{"ref": "part", "versions": versions}]
    assert bool(parse(_bom(_vulnerability(affects=affects))).findings) is counts


@pytest.mark.parametrize(
    ("ref", "place", "link"),
    [
        ("part", "jackson-databind@2.10.0", ()),
        ("product", WHOLE, ()),
        (PURL, "jackson-databind@2.10.0", ()),
        (f"urn:cdx:{SERIAL}/1#part", "jackson-databind@2.10.0", ()),
        (f"urn:cdx:{SERIAL}/1#product", WHOLE, ()),
        (f"urn:cdx:{'0' * 8}-395b-41f5-a30f-a58921a69b79/2#a%20b", None, ("a b",)),
        (
            f"urn:cdx:{'0' * 8}-395b-41f5-a30f-a58921a69b79/2#{PURL}",
            "jackson-databind@2.10.0",
            (PURL,),
        ),
    ],
)
def test_an_analysis_is_about_the_part_that_it_names(
    ref: str, place: str | None, link: tuple[str, ...]
) -> None:
    vulnerability = _vulnerability(analysis={"state": "in_triage"}, affects=[{"ref": ref}])
    (statement,) = parse(_bom(vulnerability)).statements
    assert (statement.place, statement.link[1:]) == (place, link)


def test_an_analysis_of_an_unknown_part_is_about_nothing_but_its_vulnerability_counts() -> None:
    vulnerability = _vulnerability(analysis={"state": "exploitable"}, affects=[{"ref": "nowhere"}])
    report = parse(_bom(vulnerability))
    assert report.statements == ()
    assert [each.place for each in report.findings] == [WHOLE]


@pytest.mark.parametrize(
    ("ref", "versions", "applies"),
    [
        ("product", [{"version": "1.0.0", "status": "unaffected"}], True),
        ("product", [{"version": "0.9.0", "status": "unaffected"}], False),
        ("product", [{"range": "vers:semver/<2.0.0", "status": "unaffected"}], False),
        ("part", [{"version": "2.10.0", "status": "unaffected"}], True),
        ("part", [{"range": "vers:maven/<3", "status": "unaffected"}], False),
    ],
)
def test_an_analysis_of_versions_holds_only_for_those_named_one_by_one(
    ref: str, versions: list[dict[str, str]], applies: bool
) -> None:
    affects = [{"ref": ref, "versions": versions}]
    vulnerability = _vulnerability(analysis={"state": "not_affected"}, affects=affects)
    assert bool(parse(_bom(vulnerability)).statements) is applies


def test_an_analysis_keeps_ids_state_detail_and_its_own_time() -> None:
    analysis = {
        "state": "not_affected",
        "justification": "code_not_reachable",
        "detail": "we do not call it",
        "lastUpdated": "2026-03-02T10:00:00+01:00",
    }
    references = [{"id": "GHSA-288c-cq4h-88gq", "source": {"name": "GitHub"}}]
    (statement,) = parse(_bom(_vulnerability(analysis=analysis, references=references))).statements
    assert statement.ids == ("CVE-2020-25649", "GHSA-288c-cq4h-88gq")
    assert statement.state is Analysis.NOT_AFFECTED
    assert statement.detail == "code_not_reachable"
    assert statement.at is not None
    assert statement.at.isoformat() == "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize(
    ("changes", "is_scan"),
    [
        ({"vulnerabilities": []}, False),
        ({"vulnerabilities": [_vulnerability()]}, True),
        ({"vulnerabilities": [_vulnerability()], "components": []}, True),
        ({"vulnerabilities": [_vulnerability(analysis={"state": "resolved"})]}, True),
        (
            {
                "vulnerabilities": [_vulnerability(analysis={"state": "resolved"})],
                "components": [],
            },
            False,
        ),
        ({"vulnerabilities": [], "metadata": {"tools": [{"name": "grype"}]}}, True),
        ({"vulnerabilities": [], "metadata": {"tools": [{"name": "trivy"}]}}, False),
    ],
)
def test_neither_a_list_of_parts_nor_an_analysis_is_a_scan(
    changes: dict[str, Any], is_scan: bool
) -> None:
    assert parse(_bom(**changes)).is_scan is is_scan


@pytest.mark.parametrize(
    "component",
    [
        {"hashes": [{"alg": "SHA-256", "content": "AB" * 32}]},
        {"version": "sha256:" + "ab" * 32},
        {"purl": "pkg:oci/web@sha256%3A" + "ab" * 32 + "?arch=amd64"},
        {"bom-ref": "pkg:oci/web@sha256:" + "ab" * 32},
        {
            "properties": [
                {"name": "aquasecurity:trivy:RepoDigest", "value": "web@sha256:" + "ab" * 32}
            ]
        },
    ],
)
def test_the_subject_is_read_from_each_field_that_tools_use(component: dict[str, Any]) -> None:
    metadata = {"component": {"name": "web"} | component}
    assert parse(_bom(metadata=metadata)).subjects == ("sha256:" + "ab" * 32,)


def test_digests_of_layers_and_of_other_kinds_are_no_subject() -> None:
    component = {
        "name": "web",
        "hashes": [
            {"alg": "SHA-1", "content": "ab" * 20},
            {"alg": "SHA-512", "content": "ab" * 64},
        ],
        "properties": [{"name": "aquasecurity:trivy:DiffID", "value": "sha256:" + "cd" * 32}],
    }
    assert parse(_bom(metadata={"component": component})).subjects == ()


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "EOF"),
        (b"<bom/>", "expected value"),
        (b"{}", "bomFormat"),
        (_bom(bomFormat="SPDX"), "bomFormat"),
        (_bom(specVersion="2.0"), "specVersion"),
        (_bom(vulnerabilities={}), "vulnerabilities"),
        (_bom(_vulnerability(id="")), "vulnerabilities.0.id"),
        (_bom(_vulnerability(ratings=[{"severity": "SEVERE"}])), "vulnerabilities.0.ratings.0"),
        (_bom(_vulnerability(analysis={"state": "fine"})), "vulnerabilities.0.analysis.state"),
        (_bom(_vulnerability(affects=[{}])), "vulnerabilities.0.affects.0.ref"),
        (_bom(metadata={"timestamp": "today"}), "metadata.timestamp"),
        (
            _bom(_vulnerability(analysis={"state": "resolved", "lastUpdated": "-"})),
            "vulnerabilities.0.analysis.lastUpdated",
        ),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_a_malformed_document_is_refused_with_the_place(data: bytes, where: str) -> None:
    with pytest.raises(GateError) as caught:
        parse(data)
    assert where in str(caught.value)
    assert len(str(caught.value)) < 500
