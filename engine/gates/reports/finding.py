"""What every scan report comes down to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

WHOLE = ""
"""The place of a finding or an analysis that concerns the component as a whole."""


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


class Fix(StrEnum):
    """Whether there is a fix, as far as the report can tell."""

    AVAILABLE = "available"
    NONE = "none"
    UNTOLD = "untold"


class Finding(NamedTuple):
    """One vulnerability in one package, or one weakness at one place of the code.

    Attributes:
        id: the vulnerability's id, e.g. `CVE-2024-3094`, or the rule's.
        package: the package's name as the report has it, or the place of the code.
        place: what is the same for the same package in all formats (`engine.gates.reports.places`).
        aliases: the ids that others give it, `id` not among them.
        fix: `available` exactly when `fixed_version` is known or the report says so otherwise.
        fixed_version: empty when there is no fix, or the report does not name it.
    """

    id: str
    severity: Severity
    package: str
    place: str
    aliases: tuple[str, ...] = ()
    installed_version: str = ""
    fix: Fix = Fix.UNTOLD
    fixed_version: str = ""


class Analysis(StrEnum):
    """What became of a vulnerability in a product.

    Source: https://cyclonedx.org/docs/1.6/json/#vulnerabilities_items_analysis_state
    """

    RESOLVED = "resolved"
    RESOLVED_WITH_PEDIGREE = "resolved_with_pedigree"
    EXPLOITABLE = "exploitable"
    IN_TRIAGE = "in_triage"
    FALSE_POSITIVE = "false_positive"
    NOT_AFFECTED = "not_affected"

    @property
    def settles(self) -> bool:
        """Whether the vulnerability no longer counts."""
        return self not in (Analysis.EXPLOITABLE, Analysis.IN_TRIAGE)


class Statement(NamedTuple):
    """Somebody's analysis of one vulnerability in one package, or in the whole component.

    Attributes:
        ids: the vulnerability's, aliases included.
        place: as in `Finding`; `WHOLE` for the component as a whole, None when only `link` tells.
        link: serial number of another document and the reference of the part meant there; goes
            before `place` where that document is at hand.
        versions: the versions of the package that it holds for; empty for any.
        detail: the justification, or what its author wrote.
        at: when it was made; None when it does not say.
    """

    ids: tuple[str, ...]
    state: Analysis
    place: str | None = WHOLE
    link: tuple[str, str] | tuple[()] = ()
    versions: tuple[str, ...] = ()
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Report:
    """What one report says.

    Attributes:
        findings: in the report's order.
        statements: analyses (VEX), for the findings of all reports of the component.
        tool: name and version of what made it; empty when it does not say.
        created_at: when it was made; None when it does not say.
        subjects: the SHA-256 digests that it names as what was scanned, `sha256:<hex>`.
        suppressed: findings that the report itself sets apart as ignored.
        is_scan: whether it tells the result of a scan, and is not only an analysis or a list of
            parts.
        serial: the serial number by which other documents refer to it; may be empty.
        parts: the places of its parts by the reference that it gives them.
    """

    findings: tuple[Finding, ...] = ()
    statements: tuple[Statement, ...] = ()
    tool: str = ""
    created_at: datetime | None = None
    subjects: tuple[str, ...] = ()
    suppressed: int = 0
    is_scan: bool = True
    serial: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[Severity, int]:
        """Findings of each severity; none is left out."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity: counted[severity] for severity in Severity}
