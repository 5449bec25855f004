"""Trivy's JSON report, schema version 2.

Read are the vulnerabilities; misconfigurations, secrets and licences are other matters, and what
Trivy itself was told to ignore stands apart in the report and does not count. Trivy writes one
entry for each pair of vulnerability and package, and so its totals and ours count pairs. The
severity is the one that Trivy chose. Aliases are the vendor's ids. A finding has a fix when it
names a fixed version. The subject is an image's repository digests and its id. Trivy does not say
what it looked for: results that are all about something else than packages are no scan for
vulnerabilities.

Source: https://trivy.dev/latest/docs/configuration/reporting/#json and
https://pkg.go.dev/github.com/aquasecurity/trivy/pkg/types#Report
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from pydantic import Field

from engine.gates.reports import places
from engine.gates.reports.finding import Finding, Fix, Report, Severity
from engine.gates.reports.reading import Part, bounded, digests, moment, named, parsed

_PACKAGES = ("os-pkgs", "lang-pkgs")


class _TrivySeverity(StrEnum):
    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    UNKNOWN = "UNKNOWN"


class _Vulnerability(Part):
    id: str = Field(alias="VulnerabilityID", min_length=1)
    vendor_ids: tuple[str, ...] | None = Field(default=None, alias="VendorIDs")
    package: str = Field(alias="PkgName")
    installed: str = Field(default="", alias="InstalledVersion")
    fixed: str = Field(default="", alias="FixedVersion")
    severity: _TrivySeverity = Field(alias="Severity")


class _Modified(Part):
    type: str = Field(default="", alias="Type")


class _Result(Part):
    kind: str = Field(default="", alias="Class")
    vulnerabilities: tuple[_Vulnerability, ...] | None = Field(
        default=None, alias="Vulnerabilities"
    )
    modified: tuple[_Modified, ...] | None = Field(
        default=None, alias="ExperimentalModifiedFindings"
    )


class _Metadata(Part):
    image_id: str = Field(default="", alias="ImageID")
    repository_digests: tuple[str, ...] | None = Field(default=None, alias="RepoDigests")


class _Trivy(Part):
    version: str = Field(default="", alias="Version")


class _Report(Part):
    schema_version: Literal[2] = Field(alias="SchemaVersion")
    trivy: _Trivy = Field(default_factory=_Trivy, alias="Trivy")
    created_at: str = Field(default="", alias="CreatedAt")
    artifact: str = Field(alias="ArtifactName", min_length=1)
    metadata: _Metadata = Field(default_factory=_Metadata, alias="Metadata")
    results: tuple[_Result, ...] | None = Field(default=None, alias="Results")


def parse(data: bytes) -> Report:
    """What a report says.

    Raises:
        GateError: the bytes are no such report; says where and why.
    """
    report = parsed(data, _Report, "a JSON report of Trivy, schema version 2")
    metadata = report.metadata
    return Report(
        findings=bounded(_findings(report)),
        tool=named("Trivy", report.trivy.version),
        created_at=moment(report.created_at, "CreatedAt"),
        subjects=digests((*(metadata.repository_digests or ()), metadata.image_id)),
        suppressed=sum(
            modified.type == "vulnerability"
            for result in report.results or ()
            for modified in result.modified or ()
        ),
        is_scan=not report.results or any(each.kind in _PACKAGES for each in report.results),
    )


def _findings(report: _Report) -> Iterator[Finding]:
    for result in report.results or ():
        for entry in result.vulnerabilities or ():
            yield Finding(
                id=entry.id,
                aliases=entry.vendor_ids or (),
                severity=Severity(entry.severity.value.lower()),
                package=entry.package,
                place=places.package(entry.package, entry.installed),
                installed_version=entry.installed,
                fix=Fix.AVAILABLE if entry.fixed else Fix.NONE,
                fixed_version=entry.fixed,
            )
