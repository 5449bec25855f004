from __future__ import annotations

import pytest

from engine.errors import GateError
from engine.gates.protocol import AttachmentReader
from engine.gates.security import SecurityGate
from engine.model.base import Json
from engine.model.canonical import digest_of_bytes
from engine.model.release import Component
from engine.model.verdict import Allow, Deny, Verdict
from tests.gates.builders import attachment, component, context, promotion, reader
from tests.gates.trivy_reports import finding_ids, report

CLEAN = report()
TWO_CRITICAL = report(*finding_ids(2, "CRITICAL"), *finding_ids(3, "HIGH"))
MIXED = report(*finding_ids(4, "HIGH"), *finding_ids(2, "MEDIUM"), *finding_ids(1, "LOW"))


async def _evaluate(
    config: dict[str, Json], *components: Component, read: AttachmentReader
) -> Verdict:
    snapshot = promotion(components=components)
    return await SecurityGate().evaluate(context("security", config, snapshot=snapshot), read)


async def _of(config: dict[str, Json], data: bytes) -> Verdict:
    web = component("web", attachment("trivy.json", data))
    return await _evaluate(config, web, read=reader(data))


async def test_a_clean_report_is_allowed_with_all_counts_and_its_digest() -> None:
    verdict = await _of({}, CLEAN)
    assert isinstance(verdict, Allow)
    assert verdict.attributes == {
        "vulnerabilities.critical": 0,
        "vulnerabilities.high": 0,
        "vulnerabilities.medium": 0,
        "vulnerabilities.low": 0,
    }
    assert verdict.inputs == {"trivy.json": digest_of_bytes(CLEAN)}


async def test_a_critical_finding_is_denied_by_default_with_counts_limit_and_ids() -> None:
    verdict = await _of({}, TWO_CRITICAL)
    assert isinstance(verdict, Deny)
    assert verdict.reason == "2 critical found, at most 0 allowed (CVE-2024-C0, CVE-2024-C1)"
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
    assert verdict.reason == (
        "3 high found, at most 0 allowed (CVE-2024-H0, CVE-2024-H1, CVE-2024-H2); "
        "4 medium found, at most 0 allowed (CVE-2024-M0, CVE-2024-M1, …)"
    )


async def test_an_id_found_in_two_packages_is_named_once_and_counted_twice() -> None:
    verdict = await _of({}, report(("CVE-1", "CRITICAL"), ("CVE-1", "CRITICAL")))
    assert verdict.reason == "2 critical found, at most 0 allowed (CVE-1)"


async def test_findings_of_unknown_severity_are_told_but_not_limited() -> None:
    config: dict[str, Json] = {"max_high": 0, "max_medium": 0, "max_low": 0}
    verdict = await _of(config, report(("CVE-1", "UNKNOWN")))
    assert isinstance(verdict, Allow)
    assert "1 unknown" in verdict.reason


async def test_counts_are_summed_over_components_and_reports() -> None:
    web = component("web", attachment("web.json", TWO_CRITICAL), attachment("more.json", MIXED))
    api = component("api", attachment("api.json", MIXED))
    read = reader(TWO_CRITICAL, MIXED)
    verdict = await _evaluate({"max_critical": 2}, web, api, read=read)
    assert isinstance(verdict, Allow)
    assert verdict.attributes == {
        "vulnerabilities.critical": 2,
        "vulnerabilities.high": 11,
        "vulnerabilities.medium": 4,
        "vulnerabilities.low": 2,
    }
    assert set(verdict.inputs) == {"web.json", "more.json", "api.json"}


async def test_inputs_of_one_name_are_told_apart() -> None:
    web = component("web", attachment("trivy.json", CLEAN), attachment("trivy.json", MIXED))
    api = component("api", attachment("trivy.json", MIXED))
    read = reader(CLEAN, MIXED)
    verdict = await _evaluate({}, web, api, read=read)
    assert verdict.inputs == {
        "trivy.json": digest_of_bytes(CLEAN),
        "web/trivy.json": digest_of_bytes(MIXED),
        "api/trivy.json": digest_of_bytes(MIXED),
    }


async def test_a_component_without_report_is_denied_and_still_counts_the_others() -> None:
    web = component("web", attachment("trivy.json", MIXED))
    api = component("api", attachment("notes.txt", b"hello", "other"))
    verdict = await _evaluate({}, web, api, read=reader(MIXED))
    assert isinstance(verdict, Deny)
    assert verdict.reason == "no scan report (trivy-json) is attached to api"
    assert verdict.attributes["vulnerabilities.high"] == 4


async def test_no_report_is_allowed_where_none_is_required() -> None:
    verdict = await _evaluate({"require_report": False}, component(), read=reader())
    assert isinstance(verdict, Allow)
    assert verdict.inputs == {}
    assert verdict.attributes["vulnerabilities.critical"] == 0


async def test_a_malformed_report_is_an_error_that_names_it() -> None:
    with pytest.raises(GateError, match=r"'trivy\.json' of component 'web': not a JSON report"):
        await _of({}, b"<html>")


async def test_a_report_that_is_not_stored_is_an_error() -> None:
    web = component("web", attachment("trivy.json", CLEAN))
    with pytest.raises(GateError, match=r"'trivy\.json' of component 'web': .*nothing is stored"):
        await _evaluate({}, web, read=reader())


async def test_bytes_other_than_the_registered_ones_are_an_error() -> None:
    async def read(digest: str) -> bytes:
        return CLEAN

    web = component("web", attachment("trivy.json", TWO_CRITICAL))
    with pytest.raises(GateError, match="do not have the registered digest"):
        await _evaluate({}, web, read=read)


async def test_an_unusable_configuration_is_an_error() -> None:
    with pytest.raises(GateError, match=r"gates\.checked\.config\.max_critical"):
        await _of({"max_critical": -1}, CLEAN)


async def test_the_same_context_gives_the_same_verdict() -> None:
    assert await _of({"max_high": 1}, MIXED) == await _of({"max_high": 1}, MIXED)
