from __future__ import annotations

import pytest

from engine.errors import GateError
from engine.gates.protocol import GateServices
from engine.gates.security import SecurityGate
from engine.model.base import Json
from engine.model.canonical import digest_of_bytes
from engine.model.release import Component
from engine.model.verdict import Allow, Deny, Verdict
from tests.gates.builders import Services, attachment, component, context, promotion
from tests.gates.reports.samples import dumped
from tests.gates.trivy_reports import document, finding_ids, report, vulnerability

CLEAN = report()
TWO_CRITICAL = report(*finding_ids(2, "CRITICAL"), *finding_ids(3, "HIGH"))
MIXED = report(*finding_ids(4, "HIGH"), *finding_ids(2, "MEDIUM"), *finding_ids(1, "LOW"))


async def _evaluate(config: dict[str, Json], *components: Component, read: GateServices) -> Verdict:
    snapshot = promotion(components=components)
    return await SecurityGate().evaluate(context("security", config, snapshot=snapshot), read)


async def _of(config: dict[str, Json], data: bytes) -> Verdict:
    web = component("web", attachment("trivy.json", data))
    return await _evaluate(config, web, read=Services(data))


async def test_a_clean_report_is_allowed_with_all_counts_and_its_digest() -> None:
    verdict = await _of({}, CLEAN)
    assert isinstance(verdict, Allow)
    assert verdict.attributes == {
        "vulnerabilities.critical": 0,
        "vulnerabilities.high": 0,
        "vulnerabilities.medium": 0,
        "vulnerabilities.low": 0,
        "vulnerabilities.unknown": 0,
        "vulnerabilities.ignored": 0,
        "vulnerabilities.settled": 0,
        "vulnerabilities.unfixable": 0,
    }
    assert verdict.inputs == {"trivy.json": digest_of_bytes(CLEAN)}


async def test_a_critical_finding_is_denied_by_default_with_counts_limit_and_ids() -> None:
    verdict = await _of({}, TWO_CRITICAL)
    assert isinstance(verdict, Deny)
    assert verdict.reason == (
        "2 critical found, at most 0 allowed: "
        "CVE-2024-C0 in libssl3 3.0.11-1 of web (fixed in 3.0.13-1), "
        "CVE-2024-C1 in libssl3 3.0.11-1 of web (fixed in 3.0.13-1)"
    )
    assert verdict.rejected_by is None
    assert verdict.attributes["vulnerabilities.critical"] == 2
    assert verdict.attributes["vulnerabilities.high"] == 3
    assert verdict.inputs == {"trivy.json": digest_of_bytes(TWO_CRITICAL)}


@pytest.mark.parametrize(
    ("config", "allowed"),
    [
        ({}, True),
        ({"max_high": 4}, True),
        ({"max_high": 3}, False),
        ({"max_medium": 1}, False),
        ({"max_medium": 2, "max_low": 1}, True),
        ({"max_low": 0}, False),
    ],
)
async def test_each_limit_is_inclusive(config: dict[str, Json], allowed: bool) -> None:
    assert isinstance(await _of(config, MIXED), Allow if allowed else Deny)


async def test_a_limit_of_null_means_any_number() -> None:
    assert isinstance(await _of({"max_critical": None}, TWO_CRITICAL), Allow)


async def test_every_exceeded_limit_is_named_and_five_ids_at_most() -> None:
    verdict = await _of(
        {"max_high": 0, "max_medium": 0}, report(*finding_ids(3, "HIGH"), *finding_ids(4, "MEDIUM"))
    )
    fix = "in libssl3 3.0.11-1 of web (fixed in 3.0.13-1)"
    assert verdict.reason == (
        "3 high found, at most 0 allowed: "
        f"CVE-2024-H0 {fix}, CVE-2024-H1 {fix}, CVE-2024-H2 {fix}; "
        f"4 medium found, at most 0 allowed: CVE-2024-M0 {fix}, CVE-2024-M1 {fix}, 2 more"
    )


async def test_a_vulnerability_counts_once_a_package() -> None:
    one, again, other = (vulnerability("CVE-1", "CRITICAL", name) for name in ("a", "a", "b"))
    verdict = await _of({}, dumped(document(one, again, other)))
    assert verdict.reason == (
        "2 critical found, at most 0 allowed: CVE-1 in a 3.0.11-1 of web (fixed in 3.0.13-1), "
        "CVE-1 in b 3.0.11-1 of web (fixed in 3.0.13-1)"
    )


async def test_findings_of_unknown_severity_are_told_but_not_limited() -> None:
    config: dict[str, Json] = {"max_high": 0, "max_medium": 0, "max_low": 0}
    verdict = await _of(config, report(("CVE-1", "UNKNOWN")))
    assert isinstance(verdict, Allow)
    assert "1 unknown" in verdict.reason
    denied = await _of({"max_unknown": 0}, report(("CVE-1", "UNKNOWN")))
    assert isinstance(denied, Deny)
    assert denied.reason.startswith("1 of unknown severity found, at most 0 allowed: CVE-1 in")


async def test_counts_are_summed_over_components_and_reports() -> None:
    web = component("web", attachment("web.json", TWO_CRITICAL), attachment("more.json", MIXED))
    api = component("api", attachment("api.json", MIXED))
    read = Services(TWO_CRITICAL, MIXED)
    verdict = await _evaluate({"max_critical": 2}, web, api, read=read)
    assert isinstance(verdict, Allow)
    counted = [
        verdict.attributes[f"vulnerabilities.{severity}"]
        for severity in ("critical", "high", "medium", "low")
    ]
    # Three of the high ones are in both reports of web.
    assert counted == [2, 8, 4, 2]
    assert set(verdict.inputs) == {"web.json", "more.json", "api.json"}


async def test_inputs_of_one_name_are_told_apart() -> None:
    web = component("web", attachment("trivy.json", CLEAN), attachment("trivy.json", MIXED))
    api = component("api", attachment("trivy.json", MIXED))
    read = Services(CLEAN, MIXED)
    verdict = await _evaluate({}, web, api, read=read)
    assert verdict.inputs == {
        "trivy.json": digest_of_bytes(CLEAN),
        "web/trivy.json": digest_of_bytes(MIXED),
        "api/trivy.json": digest_of_bytes(MIXED),
    }


async def test_a_component_without_report_is_denied_and_still_counts_the_others() -> None:
    web = component("web", attachment("trivy.json", MIXED))
    api = component("api", attachment("notes.txt", b"hello", "other"))
    verdict = await _evaluate({}, web, api, read=Services(MIXED))
    assert isinstance(verdict, Deny)
    assert verdict.reason == (
        "no scan report (trivy-json, grype-json, sarif or cyclonedx-json) is attached to api"
    )
    assert verdict.attributes["vulnerabilities.high"] == 4


async def test_no_report_is_allowed_where_none_is_required() -> None:
    verdict = await _evaluate({"require_report": False}, component(), read=Services())
    assert isinstance(verdict, Allow)
    assert verdict.inputs == {}
    assert verdict.attributes["vulnerabilities.critical"] == 0


async def test_a_malformed_report_is_an_error_that_names_it() -> None:
    with pytest.raises(GateError, match=r"'trivy\.json' of component 'web': not a JSON report"):
        await _of({}, b"<html>")


async def test_a_report_that_is_not_stored_is_an_error() -> None:
    web = component("web", attachment("trivy.json", CLEAN))
    with pytest.raises(GateError, match=r"'trivy\.json' of component 'web': .*nothing is stored"):
        await _evaluate({}, web, read=Services())


async def test_bytes_other_than_the_registered_ones_are_an_error() -> None:
    class Swapped(Services):
        async def attachment(self, digest: str) -> bytes:
            return CLEAN

    web = component("web", attachment("trivy.json", TWO_CRITICAL))
    with pytest.raises(GateError, match="do not have the registered digest"):
        await _evaluate({}, web, read=Swapped())


async def test_an_unusable_configuration_is_an_error() -> None:
    with pytest.raises(GateError, match=r"gates\.checked\.config\.max_critical"):
        await _of({"max_critical": -1}, CLEAN)


async def test_the_same_context_gives_the_same_verdict() -> None:
    assert await _of({"max_high": 1}, MIXED) == await _of({"max_high": 1}, MIXED)
