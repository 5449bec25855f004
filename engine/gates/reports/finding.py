"""What every scan report comes down to."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from engine.model.base import Value


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


class Finding(Value):
    """One vulnerability in one package.

    Attributes:
        id: the vulnerability's id, e.g. `CVE-2024-3094`.
        fixed_version: empty when there is no fix.
    """

    id: str
    severity: Severity
    package: str
    installed_version: str = ""
    fixed_version: str = ""


class Report(Value):
    """The findings of one report, in its order."""

    findings: tuple[Finding, ...] = ()

    @property
    def counts(self) -> dict[Severity, int]:
        """Findings of each severity; none is left out."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity: counted[severity] for severity in Severity}
