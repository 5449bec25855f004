"""Trivy's JSON report, schema version 2.

Read are the vulnerabilities; misconfigurations, secrets and licences are other matters, and what
Trivy itself was told to ignore stands apart in the report and does not count. Trivy writes one
entry for each pair of vulnerability and package, and so its totals and ours count pairs.

Source: https://trivy.dev/latest/docs/configuration/reporting/#json and
https://pkg.go.dev/github.com/aquasecurity/trivy/pkg/types#Report
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import GateError
from engine.gates.reports.finding import Finding, Report, Severity


class _TrivySeverity(StrEnum):
    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    LOW = "LOW"
    UNKNOWN = "UNKNOWN"


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Vulnerability(_Part):
    id: str = Field(alias="VulnerabilityID", min_length=1)
    package: str = Field(alias="PkgName")
    installed: str = Field(default="", alias="InstalledVersion")
    fixed: str = Field(default="", alias="FixedVersion")
    severity: _TrivySeverity = Field(alias="Severity")


class _Result(_Part):
    vulnerabilities: tuple[_Vulnerability, ...] | None = Field(
        default=None, alias="Vulnerabilities"
    )


class _Report(_Part):
    schema_version: Literal[2] = Field(alias="SchemaVersion")
    artifact: str = Field(alias="ArtifactName", min_length=1)
    results: tuple[_Result, ...] | None = Field(default=None, alias="Results")


def parse(data: bytes) -> Report:
    """The findings of a report.

    Raises:
        GateError: the bytes are no such report; says where and why.
    """
    try:
        report = _Report.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"{where}: {first['msg']}" if where else first["msg"]
        more = error.error_count() - 1
        also = f" (and {more} more)" if more else ""
        raise GateError(f"not a JSON report of Trivy, schema version 2: {problem}{also}") from error
    return Report(
        findings=tuple(
            Finding(
                id=entry.id,
                severity=Severity(entry.severity.value.lower()),
                package=entry.package,
                installed_version=entry.installed,
                fixed_version=entry.fixed,
            )
            for result in report.results or ()
            for entry in result.vulnerabilities or ()
        )
    )
