"""Grype's JSON report.

Read are the matches; what Grype itself was told to ignore (its rules, its own VEX documents) stands
apart in the report and does not count. `Negligible` is low. Aliases are the related
vulnerabilities. As with Grype's own `--only-fixed`, a finding has a fix when its state is `fixed`.
The subject is an image's repository and manifest digests and its id; scanning anything else, Grype
names a path.

Source: https://github.com/anchore/grype/blob/main/grype/presenter/models/document.go
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from engine.gates.reports import places
from engine.gates.reports.finding import Finding, Fix, Report, Severity
from engine.gates.reports.reading import Part, bounded, digests, moment, named, parsed


class _GrypeSeverity(StrEnum):
    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"
    NEGLIGIBLE = "Negligible"
    UNKNOWN = "Unknown"


_SEVERITIES = {
    _GrypeSeverity.CRITICAL: Severity.CRITICAL,
    _GrypeSeverity.HIGH: Severity.HIGH,
    _GrypeSeverity.MEDIUM: Severity.MEDIUM,
    _GrypeSeverity.LOW: Severity.LOW,
    _GrypeSeverity.NEGLIGIBLE: Severity.LOW,
    _GrypeSeverity.UNKNOWN: Severity.UNKNOWN,
}


class _Fix(Part):
    versions: tuple[str, ...] | None = None
    state: str = ""


class _Vulnerability(Part):
    id: str = Field(min_length=1)
    # Go leaves an empty severity out, and Grype has one for a vulnerability without metadata.
    severity: _GrypeSeverity | Literal[""] = ""
    fix: _Fix = Field(default_factory=_Fix)


class _Related(Part):
    id: str


class _Artifact(Part):
    name: str
    version: str = ""
    purl: str = ""


class _Match(Part):
    vulnerability: _Vulnerability
    related: tuple[_Related, ...] | None = Field(default=None, alias="relatedVulnerabilities")
    artifact: _Artifact


class _Image(Part):
    image_id: str = Field(default="", alias="imageID")
    manifest_digest: str = Field(default="", alias="manifestDigest")
    repository_digests: tuple[str, ...] | None = Field(default=None, alias="repoDigests")


class _Source(Part):
    target: _Image | str | None = None


class _Descriptor(Part):
    name: Literal["grype"]
    version: str = ""
    timestamp: str = ""


class _Report(Part):
    matches: tuple[_Match, ...] | None
    # Counted only, so that a rule of any shape will do.
    ignored: tuple[Any, ...] | None = Field(default=None, alias="ignoredMatches")
    source: _Source | None = None
    descriptor: _Descriptor


def parse(data: bytes) -> Report:
    """What a report says.

    Raises:
        GateError: the bytes are no such report; says where and why.
    """
    report = parsed(data, _Report, "a JSON report of Grype")
    descriptor = report.descriptor
    image = report.source.target if report.source else None
    subjects: tuple[str, ...] = ()
    if isinstance(image, _Image):
        subjects = digests(
            (*(image.repository_digests or ()), image.manifest_digest, image.image_id)
        )
    return Report(
        findings=bounded(_findings(report)),
        tool=named("Grype", descriptor.version),
        created_at=moment(descriptor.timestamp, "descriptor.timestamp"),
        subjects=subjects,
        suppressed=len(report.ignored or ()),
    )


def _findings(report: _Report) -> Iterator[Finding]:
    for match in report.matches or ():
        vulnerability, artifact = match.vulnerability, match.artifact
        is_fixed = vulnerability.fix.state == "fixed"
        yield Finding(
            id=vulnerability.id,
            aliases=tuple(each.id for each in match.related or () if each.id != vulnerability.id),
            severity=(
                _SEVERITIES[vulnerability.severity] if vulnerability.severity else Severity.UNKNOWN
            ),
            package=artifact.name,
            place=places.package(artifact.name, artifact.version),
            installed_version=artifact.version,
            fix=Fix.AVAILABLE if is_fixed else Fix.NONE,
            fixed_version=", ".join(vulnerability.fix.versions or ()) if is_fixed else "",
        )
