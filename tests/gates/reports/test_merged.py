from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.gates.reports import places
from engine.gates.reports.finding import WHOLE, Analysis, Finding, Fix, Report, Severity, Statement
from engine.gates.reports.merged import merge
from tests.gates.reports.samples import parse

ONE, TWO, GHSA, ALAS = "CVE-2026-0001", "CVE-2026-0002", "GHSA-aaaa-bbbb-cccc", "ALAS-2026-1"
MONDAY, TUESDAY = (datetime(2026, 3, day, tzinfo=UTC) for day in (2, 3))


def _found(
    *ids: str,
    place: str = "zlib@1.2.0",
    severity: Severity = Severity.HIGH,
    fix: Fix = Fix.UNTOLD,
    fixed: str = "",
) -> Finding:
    return Finding(
        id=ids[0],
        aliases=ids[1:],
        severity=severity,
        package=place.partition("@")[0],
        place=place,
        installed_version=places.version_of(place),
        fix=fix,
        fixed_version=fixed,
    )


def _said(
    *ids: str,
    state: Analysis = Analysis.NOT_AFFECTED,
    place: str | None = "zlib@1.2.0",
    link: tuple[str, str] | tuple[()] = (),
    versions: tuple[str, ...] = (),
    at: datetime | None = MONDAY,
) -> Statement:
    return Statement(ids=ids, state=state, place=place, link=link, versions=versions, at=at)


def _count(*findings: Finding) -> int:
    return len(merge([Report(findings=(each,)) for each in findings]))


def _is_settled(finding: Finding, *statements: Statement, others: tuple[Report, ...] = ()) -> bool:
    (found, *_) = merge([Report(findings=(finding,)), Report(statements=statements), *others])
    return found.settled_by is not None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (_found(ONE), _found(ONE), True),
        (_found(ONE), _found(ONE.lower()), True),
        (_found(ONE), _found(ONE, place="zlib@1.3.0"), False),
        (_found(ONE), _found(ONE, place="xz@1.2.0"), False),
        (_found(ONE), _found(TWO), False),
        (_found(GHSA, ONE), _found(ONE), True),
        (_found(ONE, GHSA), _found(GHSA), True),
        (_found(ONE, GHSA), _found(TWO, GHSA), False),
        # An advisory over both is neither of them.
        (_found(ALAS, ONE, TWO), _found(ONE), False),
        (_found(ALAS, ONE, TWO), _found(ALAS, ONE, TWO), True),
        (_found(ONE, place=WHOLE), _found(ONE), True),
        (_found(ONE, place=WHOLE), _found(TWO), False),
    ],
)
def test_findings_are_one_when_place_and_vulnerability_are(
    first: Finding, second: Finding, same: bool
) -> None:
    assert _count(first, second) == _count(second, first) == (1 if same else 2)


def test_one_that_knows_all_ids_ties_the_others_together() -> None:
    assert _count(_found(ONE), _found(GHSA), _found(GHSA, ONE)) == 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (("org.apache.logging.log4j:log4j-core", "2.14.0"), ("log4j-core", "2.14.0")),
        (("@angular/core", "1.0.0"), ("core", "1.0.0")),
        (("Jinja2", "3.1.3"), ("jinja2", "3.1.3")),
        (("typing_extensions", "4.0"), ("typing-extensions", "4.0")),
        (("openssl-libs", "1:1.0.2k-16.el7"), ("openssl-libs", "1.0.2k-16.el7")),
    ],
)
def test_a_package_has_one_place_however_a_tool_writes_it(
    ours: tuple[str, str], theirs: tuple[str, str]
) -> None:
    assert places.package(*ours) == places.package(*theirs)


@pytest.mark.parametrize(
    ("purl", "place"),
    [
        ("pkg:maven/org.apache.logging.log4j/log4j-core@2.14.0?type=jar", "log4j-core@2.14.0"),
        ("pkg:npm/%40angular/core@1.0.0", "core@1.0.0"),
        ("pkg:golang/golang.org/x/text@v0.3.6", "text@v0.3.6"),
        (
            "pkg:golang/github.com/docker/distribution@v2.7.1%2Bincompatible",
            "distribution@v2.7.1+incompatible",
        ),
        ("pkg:deb/debian/zlib", "zlib@"),
        ("zlib@1.2.0", None),
        ("pkg:", None),
    ],
)
def test_a_package_url_names_the_same_place(purl: str, place: str | None) -> None:
    assert places.of_purl(purl) == place


@pytest.mark.parametrize(
    ("fixes", "expected"),
    [
        ((Fix.UNTOLD, Fix.NONE), Fix.NONE),
        ((Fix.NONE, Fix.AVAILABLE), Fix.AVAILABLE),
        ((Fix.UNTOLD, Fix.UNTOLD), Fix.UNTOLD),
    ],
)
def test_the_worst_severity_and_the_best_known_fix_hold(
    fixes: tuple[Fix, Fix], expected: Fix
) -> None:
    one, other = (_found(ONE, fix=fix) for fix in fixes)
    unknown = one._replace(severity=Severity.UNKNOWN)
    worse = other._replace(severity=Severity.CRITICAL, fixed_version="1.3")
    for pair in ((unknown, worse), (worse, unknown)):
        (found,) = merge([Report(findings=pair)])
        assert (found.severity, found.fix) == (Severity.CRITICAL, expected)
        assert found.fixed_version == "1.3"


def test_trivy_and_grype_over_one_image_give_each_vulnerability_once() -> None:
    together = merge([parse("image.trivy.json"), parse("image.grype.json")])
    by_trivy = merge([parse("image.trivy.json")])
    assert {(each.id, each.place) for each in together} == {
        (each.id, each.place) for each in by_trivy
    }
    assert sum(len(each.ids) > 1 for each in together) == 7


@pytest.mark.parametrize(
    ("statement", "settled"),
    [
        (_said(ONE), True),
        (_said(ONE.lower()), True),
        (_said(ONE, place=WHOLE), True),
        (_said(ONE, place="zlib@"), True),
        (_said(ONE, place="zlib@1.3.0"), False),
        (_said(ONE, place="xz@1.2.0"), False),
        (_said(TWO), False),
        (_said(GHSA), True),
        (_said(ONE, versions=("1.2.0",)), True),
        (_said(ONE, versions=("1.3.0",)), False),
        (_said(ONE, state=Analysis.FALSE_POSITIVE), True),
        (_said(ONE, state=Analysis.RESOLVED), True),
        (_said(ONE, state=Analysis.RESOLVED_WITH_PEDIGREE), True),
        (_said(ONE, state=Analysis.EXPLOITABLE), False),
        (_said(ONE, state=Analysis.IN_TRIAGE), False),
        (_said(ONE, place=None, link=("elsewhere", "part")), False),
        (_said(ONE, place=None, link=("bom", "part")), True),
        (_said(ONE, place=None, link=("bom", "other")), False),
        (_said(ONE, place=None, link=("bom", "product")), True),
        (_said(ONE, place=None, link=("bom", "product"), versions=("1",)), False),
    ],
)
def test_a_statement_settles_what_it_is_about(statement: Statement, settled: bool) -> None:
    bom = Report(serial="bom", parts={"part": "zlib@1.2.0", "other": "xz@1.2.0", "product": WHOLE})
    assert _is_settled(_found(ONE, GHSA), statement, others=(bom,)) is settled


@pytest.mark.parametrize(
    ("first", "second", "settled"),
    [
        (_said(ONE), _said(ONE, state=Analysis.EXPLOITABLE, at=TUESDAY), False),
        (_said(ONE, at=TUESDAY), _said(ONE, state=Analysis.EXPLOITABLE), True),
        (_said(ONE), _said(ONE, state=Analysis.EXPLOITABLE), False),
        (_said(ONE), _said(ONE, state=Analysis.IN_TRIAGE, at=None), True),
        (_said(ONE, at=None), _said(ONE, state=Analysis.IN_TRIAGE, at=None), False),
        (_said(GHSA), _said(ONE, state=Analysis.EXPLOITABLE, at=TUESDAY), False),
    ],
)
def test_the_latest_word_holds_and_of_one_time_the_stricter(
    first: Statement, second: Statement, settled: bool
) -> None:
    finding = _found(ONE, GHSA)
    assert _is_settled(finding, first, second) is settled
    assert _is_settled(finding, second, first) is settled


@pytest.mark.parametrize(
    ("ids", "settled"),
    [([ONE], False), ([ONE, TWO], True), ([ALAS], True), ([GHSA], False)],
)
def test_an_advisory_over_several_is_settled_as_a_whole_or_not(
    ids: list[str], settled: bool
) -> None:
    statements = [_said(id) for id in ids]
    assert _is_settled(_found(ALAS, ONE, TWO), *statements) is settled


def test_statements_can_be_left_unheeded() -> None:
    reports = [Report(findings=(_found(ONE),), statements=(_said(ONE),))]
    assert merge(reports)[0].settled_by is not None
    assert merge(reports, use_vex=False)[0].settled_by is None


_IDS = st.lists(
    st.sampled_from([ONE, TWO, GHSA, ALAS, "GHSA-dddd-eeee-ffff"]), min_size=1, unique=True
)
_FINDINGS = st.lists(
    st.builds(
        lambda ids, place, severity: _found(*ids, place=place, severity=severity),
        _IDS,
        st.sampled_from(["zlib@1.2.0", "xz@5.6.0", WHOLE]),
        st.sampled_from(list(Severity)),
    ),
    max_size=8,
)


@given(_FINDINGS)
def test_nothing_is_lost_or_made_milder_or_counted_more_often_than_found(
    findings: list[Finding],
) -> None:
    merged = merge([Report(findings=tuple(findings))])
    assert len(merged) <= len(findings)
    order = list(Severity)
    for finding in findings:
        ids = {finding.id.upper(), *map(str.upper, finding.aliases)}
        assert any(
            ids <= found.ids and order.index(found.severity) <= order.index(finding.severity)
            for found in merged
        )


@given(_FINDINGS)
def test_a_report_given_twice_changes_nothing(findings: list[Finding]) -> None:
    report = Report(findings=tuple(findings))
    once, twice = (
        [(each.ids, each.place, each.severity) for each in merge(reports)]
        for reports in ([report], [report, report])
    )
    assert once == twice
