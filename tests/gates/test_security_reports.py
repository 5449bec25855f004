"""The gate `security` over whole reports: what passes, what fails, what is broken."""

from __future__ import annotations

import re

import pytest

from engine.errors import GateError
from engine.model.base import Json
from engine.model.release import Component
from engine.model.verdict import Allow, Deny
from tests.gates.asking_security import ANY, LIMITS, evaluate, file, ignored
from tests.gates.builders import attachment, component
from tests.gates.reports.samples import CLEAN_IMAGE, FILES, IMAGE, attached, format_of, image, read

IMAGE_REPORTS = ("trivy.json", "trivy.sarif", "trivy.cdx.json", "grype.json", "grype.cdx.json")

PASSED: list[tuple[dict[str, Json], Component]] = [
    *(({}, image(f"clean.{kind}", digest=CLEAN_IMAGE)) for kind in
      ("trivy.json", "trivy.sarif", "grype.json", "grype.cdx.json")),
    *((LIMITS, image(f"image.{kind}")) for kind in IMAGE_REPORTS),
    ({"require_subject": False} | LIMITS, image("image.grype.sarif")),
    (
        LIMITS | {"max_high": 5, "max_medium": 12, "max_low": 4},
        image("image.grype.json", "code.bandit.sarif"),
    ),
    ({"max_high": 2}, file("code.bandit.sarif")),
    ({"max_high": 3}, file("workflow.zizmor.sarif")),
    ({"max_critical": 1}, file("directory.trivy.json")),
    ({"max_critical": 1}, file("directory.grype.json")),
    ({"require_report": False}, image("image.syft.cdx.json")),
    ({"accept_empty_bom": True}, image("clean.trivy.cdx.json", digest=CLEAN_IMAGE)),
    ({"max_critical": 2}, image("image.trivy.json", "vex.cdx.json")),
    ({"max_critical": 2} | ignored(), image("image.trivy.json")),
    ({"fixable_only": True, "max_critical": 3, "max_high": 2}, image("image.trivy.json")),
    ({"fixable_only": True, "max_critical": 3, "max_high": 2}, image("image.grype.json")),
    ({"fixable_only": True, "max_critical": 3, "max_high": 3}, image("image.grype.cdx.json")),
    (
        {"rating_sources": ["ghsa", "nvd"], "max_critical": 3, "max_medium": 9},
        image("image.trivy.cdx.json"),
    ),
    ({**LIMITS, "max_report_age": "2h"}, image("image.trivy.json")),
]  # fmt: skip

FAILED: list[tuple[dict[str, Json], Component, str]] = [
    *(
        (
            {},
            image(f"image.{kind}"),
            r"^3 critical found, at most 0 allowed: \S+ in \S+ \S+ of web",
        )
        for kind in IMAGE_REPORTS
    ),
    ({"max_high": 0}, file("code.bandit.sarif"), "2 high found, .*B324 in web/views.py:11:12 of"),
    ({"max_high": 2}, file("workflow.zizmor.sarif"), "3 high found, at most 2"),
    ({}, file("directory.trivy.json"), r"CVE-2024-42005 in Django 4.2.10 of web \(fixed in 4.2"),
    ({}, file("directory.grype.json"), r"CVE-2024-42005 in django 4.2.10 of web \(fixed in 4.2"),
    (ANY, image("image.syft.cdx.json"), "no scan report"),
    (ANY, image("clean.trivy.cdx.json", digest=CLEAN_IMAGE), "no scan report"),
    (ANY, image("vex.cdx.json"), "no scan report"),
    (ANY, file("misconfiguration.trivy.json"), "no scan report"),
    ({"max_unknown": 0} | LIMITS, image("image.trivy.json"), "1 of unknown severity found"),
    (
        ANY | {"max_high": 2},
        image("image.trivy.json"),
        r"CVE-2024-29415 in ip 2.0.1 .*\(no fix yet",
    ),
    (
        {"use_vex": False, "max_critical": 2},
        image("image.trivy.json", "vex.cdx.json"),
        "3 critical found",
    ),
    (
        {"max_critical": 1},
        image("image.trivy.json", "vex.cdx.json"),
        "2 critical .*; not counted: 3 settled by VEX",
    ),
    # Subjects.
    (
        ANY,
        image("clean.trivy.json"),
        f"component web: report clean.trivy.json is about {CLEAN_IMAGE}, not about {IMAGE}",
    ),
    (ANY, image("image.grype.sarif"), f"no report tells that it is about {IMAGE}"),
    (ANY, image("image.trivy.json", "clean.grype.json"), "clean.grype.json is about"),
    (ANY, file("image.trivy.json"), "image.trivy.json is about"),
    (
        ANY | {"require_subject": True},
        file("directory.trivy.json"),
        "directory.trivy.json does not tell the digest",
    ),
    # Ages.
    (
        ANY | {"max_report_age": "30m"},
        image("image.trivy.json"),
        "image.trivy.json is from 2026-11-24T16:35:26Z, older than 30m; scan again",
    ),
    (
        ANY | {"max_report_age": "1h"},
        image("image.trivy.sarif"),
        "image.trivy.sarif does not tell when it was made",
    ),
    # Exceptions.
    (
        {"max_critical": 2} | ignored(expires="2026-11-23"),
        image("image.trivy.json"),
        "3 critical .*; the exception for CVE-2024-42005 expired on 2026-11-23, so that it counts",
    ),
    ({"max_critical": 2} | ignored(id="CVE-2024-1"), image("image.trivy.json"), "3 critical"),
]

BROKEN: list[tuple[str, str, bytes, str]] = [
    (kind, name, data, where)
    for kind, name in (
        ("trivy-json", "trivy.json"),
        ("grype-json", "grype.json"),
        ("sarif", "trivy.sarif"),
        ("cyclonedx-json", "trivy.cdx.json"),
    )
    for data, where in (
        (b"", "EOF while parsing"),
        (b"<html>502 Bad Gateway</html>", "line 1 column 1"),
        (read(f"image.{name}")[:5000], "EOF while parsing"),
        (read(f"image.{name}").replace(b'"', b"'"), "line 2"),
        (b"[]", "object"),
        (b"{}", "Field required"),
        (read("image.syft.cdx.json") if "cdx" not in name else read("clean.trivy.json"), ": "),
        (read(f"image.{name}").decode().encode("utf-16"), "line 1 column 1"),
        (b'{"a":' * 100_000, "recursion limit"),
    )
]
BROKEN += [
    ("trivy-json", "1.json", b'{"SchemaVersion": 1, "ArtifactName": "web"}', "SchemaVersion"),
    ("sarif", "1.sarif", b'{"version": "1.0.0", "runs": []}', "version"),
    ("cyclonedx-json", "9", b'{"bomFormat": "CycloneDX", "specVersion": "9.0"}', "specVersion"),
]


def test_the_cases_that_pass_are_not_the_ones_that_fail() -> None:
    assert len(PASSED) > 20
    assert len(FAILED) > 20


@pytest.mark.parametrize(("config", "subject"), PASSED)
async def test_passed(config: dict[str, Json], subject: Component) -> None:
    verdict = await evaluate(config, subject)
    assert isinstance(verdict, Allow), verdict.reason


@pytest.mark.parametrize(("config", "subject", "reason"), FAILED)
async def test_failed(config: dict[str, Json], subject: Component, reason: str) -> None:
    verdict = await evaluate(config, subject)
    assert isinstance(verdict, Deny), verdict.reason
    assert re.search(reason, verdict.reason), verdict.reason
    assert len(verdict.reason) < 2000


@pytest.mark.parametrize(("kind", "name", "data", "where"), BROKEN)
async def test_broken(kind: str, name: str, data: bytes, where: str) -> None:
    broken = component("web", attached("clean.grype.json"), attachment(name, data, kind))
    with pytest.raises(GateError) as caught:
        await evaluate({"require_subject": False}, broken, data=(data,))
    assert str(caught.value).startswith(f"scan report {name!r} of component 'web': ")
    assert where in str(caught.value)
    assert len(str(caught.value)) < 600


async def test_a_report_that_is_registered_as_too_large_is_not_even_fetched() -> None:
    huge = attached("clean.grype.json").model_copy(
        update={"size": 33 * 1024 * 1024, "digest": "sha256:" + "0" * 64}
    )
    with pytest.raises(GateError, match="more than the 32 MiB that are read"):
        await evaluate({}, component("web", huge))


async def test_what_two_scanners_find_counts_once_and_both_are_on_record() -> None:
    one = await evaluate(LIMITS, image("image.trivy.json"))
    both = await evaluate(LIMITS, image("image.trivy.json", "image.grype.json"))
    numbers = [
        sum(int(str(verdict.attributes[f"vulnerabilities.{each}"])) for each in
            ("critical", "high", "medium", "low", "unknown"))
        for verdict in (one, both)
    ]  # fmt: skip
    assert numbers == [18, 18]
    assert set(both.inputs) == {"image.trivy.json", "image.grype.json"}


def test_every_file_belongs_to_a_format_that_is_read() -> None:
    assert {format_of(path.name) for path in FILES.iterdir()} == {
        "trivy-json",
        "grype-json",
        "sarif",
        "cyclonedx-json",
    }
