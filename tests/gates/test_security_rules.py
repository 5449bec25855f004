"""Exceptions, ages, VEX and the record of the gate `security`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.errors import GateError
from engine.model.base import Json
from engine.model.release import Attachment
from engine.model.verdict import MAX_EVIDENCE_BYTES, Allow, Deny
from tests.gates.asking_security import ANY, LIMITS, MADE, evaluate, ignored
from tests.gates.builders import attachment, component
from tests.gates.reports.samples import dumped, image, loaded
from tests.gates.trivy_reports import document, vulnerability


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1),
        ({"id": "cve-2024-42005"}, 1),
        ({"id": "GHSA-pv4p-cwwg-4rph"}, 1),
        ({"package": "Django"}, 1),
        ({"package": "django"}, 1),
        ({"package": "jinja2"}, 0),
        ({"component": "web"}, 1),
        ({"component": "api"}, 0),
        ({"id": "CVE-2024-5535"}, 2),
        ({"id": "CVE-2024-5535", "package": "libssl3"}, 1),
    ],
)
async def test_an_exception_holds_for_its_id_package_and_component(
    changes: dict[str, str], count: int
) -> None:
    reports = image("image.trivy.json", "image.grype.json")
    verdict = await evaluate(ANY | ignored(**changes), reports)
    assert verdict.attributes["vulnerabilities.ignored"] == count
    assert verdict.attributes["vulnerabilities.critical"] == 3 - count


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 25, tzinfo=UTC), True),
        (datetime.fromisoformat("2026-11-25T01:30:00+02:00"), False),
        (datetime.fromisoformat("2026-11-24T23:30:00-02:00"), True),
    ],
)
async def test_an_exception_holds_until_the_end_of_its_last_day_in_utc(
    now: datetime, counts: bool
) -> None:
    verdict = await evaluate({"max_critical": 2} | ignored(), image("image.trivy.json"), now=now)
    assert isinstance(verdict, Deny if counts else Allow)
    assert ("expired on 2026-11-24" in verdict.reason) is counts


async def test_of_two_exceptions_the_one_in_force_holds_and_none_is_called_expired() -> None:
    entry: dict[str, Json] = {
        "id": "CVE-2024-42005",
        "reason": "accepted",
        "expires": "2026-01-01",
    }
    config: dict[str, Json] = {
        "max_critical": 2,
        "ignore": [entry, entry | {"expires": "2027-01-01"}],
    }
    verdict = await evaluate(config, image("image.trivy.json"))
    assert isinstance(verdict, Allow)
    assert "expired" not in verdict.reason


async def test_an_advisory_is_passed_over_only_with_all_that_it_covers() -> None:
    grype = loaded("directory.grype.json")
    first = grype["matches"][0]
    first["vulnerability"]["id"] = "ALAS-2026-1"
    first["relatedVulnerabilities"].append({"id": "CVE-2024-9"})
    grype["matches"] = [first]
    data = dumped(grype)
    web = component("web", attachment("grype.json", data, "grype-json"))
    entry = {"reason": "accepted", "expires": "2027-01-01"}
    for ids, allowed in (
        (["CVE-2024-42005"], False),
        (["CVE-2024-42005", "CVE-2024-9"], True),
        (["alas-2026-1"], True),
    ):
        config: dict[str, Json] = {"ignore": [{"id": id, **entry} for id in ids]}
        verdict = await evaluate(config, web, data=(data,))
        assert isinstance(verdict, Allow if allowed else Deny)


@pytest.mark.parametrize(
    ("age", "now", "allowed"),
    [
        ("1h", datetime(2026, 11, 24, 17, 35, 26, tzinfo=UTC), True),
        ("1h", datetime(2026, 11, 24, 17, 35, 28, tzinfo=UTC), False),
        # A scanner's clock may be a little ahead of ours.
        ("1h", datetime(2026, 11, 24, 16, 31, tzinfo=UTC), True),
        ("1h", datetime(2026, 11, 24, 16, 30, tzinfo=UTC), False),
    ],
)
async def test_a_report_may_be_as_old_as_is_allowed_and_not_from_the_future(
    age: str, now: datetime, allowed: bool
) -> None:
    config = {"max_report_age": age} | LIMITS
    verdict = await evaluate(config, image("image.trivy.json"), now=now)
    assert isinstance(verdict, Allow if allowed else Deny), verdict.reason


async def test_undated_reports_can_be_allowed_and_analyses_may_be_of_any_age() -> None:
    undated: dict[str, Json] = {"max_report_age": "1h", "undated_reports": "allow"}
    assert isinstance(await evaluate(undated | LIMITS, image("image.trivy.sarif")), Allow)
    old = loaded("vex.cdx.json")
    old["metadata"]["timestamp"] = "2020-01-01T00:00:00Z"
    data = dumped(old)
    web = image("image.trivy.json", more=(attachment("vex", data, "cyclonedx-json"),))
    verdict = await evaluate({"max_report_age": "2h", "max_critical": 2}, web, data=(data,))
    assert isinstance(verdict, Allow), verdict.reason


async def test_vex_of_one_component_settles_nothing_in_another() -> None:
    vexed = image("image.trivy.json", "vex.cdx.json")
    other = image("image.trivy.json").model_copy(update={"name": "api"})
    verdict = await evaluate(ANY, vexed, other)
    assert verdict.attributes["vulnerabilities.critical"] == 2 + 3
    assert verdict.attributes["vulnerabilities.settled"] == 3


async def test_the_evidence_tells_reports_counts_and_what_does_not_count() -> None:
    config = {"max_critical": 1, "fixable_only": True} | ignored(
        id="CVE-2024-38875", reason="  ok "
    )
    verdict = await evaluate(config, image("image.trivy.json", "vex.cdx.json"))
    evidence: Any = verdict.evidence
    (web,) = evidence["components"]
    assert web["name"] == "web"
    assert web["counts"] == {"critical": 2, "high": 0, "medium": 8, "low": 2, "unknown": 1}
    assert (web["ignored"], web["settled"], web["unfixable"]) == (1, 3, 1)
    trivy, vex = web["reports"]
    assert trivy == {
        "name": "image.trivy.json",
        "format": "trivy-json",
        "tool": "Trivy",
        "created_at": "2026-11-24T16:35:26.866261+00:00",
        "is_scan": True,
        "names_subject": True,
        "findings": {"critical": 3, "high": 3, "medium": 9, "low": 2, "unknown": 1},
        "suppressed": 0,
        "statements": 0,
    }
    assert (vex["name"], vex["is_scan"], vex["statements"]) == ("vex.cdx.json", False, 5)
    assert evidence["ignored"] == [
        {
            "id": "CVE-2024-38875",
            "component": "web",
            "package": "Django",
            "severity": "high",
            "reason": "ok",
            "expires": "2026-11-24",
        }
    ]
    assert {(each["id"], each["state"], each["detail"]) for each in evidence["settled"]} == {
        ("CVE-2024-42005", "not_affected", "code_not_reachable"),
        ("CVE-2021-23337", "false_positive", "template() is not bundled."),
        ("CVE-2024-34064", "resolved", "Patched in the image."),
    }
    assert evidence["expired"] == []


async def test_the_evidence_stays_within_its_bound_and_says_what_is_left_out() -> None:
    found = [vulnerability(f"CVE-2026-{number:05}" + "x" * 300, "HIGH") for number in range(900)]
    data = dumped(document(*found))
    reports: tuple[Attachment, ...] = (attachment("trivy.json", data),)
    components = [
        component("web", *reports).model_copy(update={"name": f"web-{number}"})
        for number in range(20)
    ]
    ignore: list[Json] = [
        {"id": each["VulnerabilityID"], "reason": "r" * 500, "expires": "2027-01-01"}
        for each in found
    ]
    verdict = await evaluate({"ignore": ignore}, *components, data=(data,))
    assert verdict.attributes["vulnerabilities.ignored"] == 900 * 20
    assert len(json.dumps(verdict.evidence).encode()) <= MAX_EVIDENCE_BYTES
    evidence: Any = verdict.evidence
    assert evidence["ignored"][-1]["left_out"] >= 900 * 20 - 200


async def test_a_reason_stays_readable_whatever_the_report_says() -> None:
    hostile = vulnerability("CVE-1" + "y" * 10_000, "CRITICAL", "p" * 10_000) | {
        "InstalledVersion": "1" * 10_000,
        "FixedVersion": "2" * 10_000,
    }
    data = dumped(document(*(hostile | {"PkgName": f"{n}" * 9_000} for n in range(9))))
    verdict = await evaluate({}, component("web", attachment("t.json", data)), data=(data,))
    assert isinstance(verdict, Deny)
    assert len(verdict.reason) < 2000


@pytest.mark.parametrize(
    "wrong",
    [
        {"ignore": [{"id": "CVE-1", "expires": "2027-01-01"}]},
        {"ignore": [{"id": "CVE-1", "reason": "  ", "expires": "2027-01-01"}]},
        {"ignore": [{"id": "CVE-1", "reason": "accepted"}]},
        {"ignore": [{"id": "CVE-1", "reason": "accepted", "expires": "soon"}]},
        {"ignore": [{"id": "", "reason": "accepted", "expires": "2027-01-01"}]},
        {"max_report_age": "0s"},
        {"max_report_age": "old"},
        {"require_subject": "maybe"},
        {"fixable_only": "yes"},
        {"undated_reports": "ignore"},
    ],
)
async def test_a_configuration_that_means_nothing_is_refused(wrong: dict[str, Json]) -> None:
    with pytest.raises(GateError, match=f"gates.checked.config.{next(iter(wrong))}"):
        await evaluate(wrong, image("image.trivy.json"))


async def test_a_clock_is_never_read() -> None:
    config = {"max_report_age": "24h"} | LIMITS | ignored()
    early = await evaluate(config, image("image.trivy.json"), now=MADE)
    late = await evaluate(config, image("image.trivy.json"), now=MADE + timedelta(days=400))
    assert isinstance(early, Allow)
    assert isinstance(late, Deny)
    assert early == await evaluate(config, image("image.trivy.json"), now=MADE)
