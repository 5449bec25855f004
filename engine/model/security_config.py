"""The configuration of the gate `security`, and of a template's security check."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from engine.model.base import Document, Duration, Name

Limit = Annotated[int, Field(strict=True, ge=0)] | None
"""How many findings are allowed; None for any number."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""A short text that is not empty."""


class IgnoredVulnerability(Document):
    """A vulnerability that somebody has accepted for a while.

    Attributes:
        id: the vulnerability's id, or one of its aliases, in any case (`CVE-…`, `GHSA-…`).
        package: only in this package, by the name that the reason gives it; all when left out.
        component: only in this component of the release; all when left out.
        reason: why it may be passed over; on record with each decision.
        expires: the last day (UTC) on which it is passed over.
    """

    id: Text
    package: Text | None = None
    component: Name | None = None
    reason: Text
    expires: date


class SecurityConfig(Document):
    """Limits on the vulnerabilities that a release's scan reports name.

    Attributes:
        max_critical, max_high, max_medium, max_low: findings allowed over all components.
        max_unknown: findings allowed whose report tells no severity.
        fixable_only: whether findings count only while there is a fix. One whose report cannot
            tell counts.
        ignore: vulnerabilities that are passed over until a date.
        use_vex: whether CycloneDX analyses (VEX) can settle findings.
        rating_sources: whose rating of a CycloneDX vulnerability counts, the first that has one;
            the highest rating where none of these has.
        require_report: whether a component without a scan report is denied.
        accept_empty_bom: whether a CycloneDX BOM that names no vulnerability counts as a scan that
            found none, and not as a mere list of parts.
        require_subject: whether a report has to name the digest of its component. `auto`: none may
            name another, and of an `oci:` component's reports at least one has to name it.
        max_report_age: how old a scan report may be; any age when left out.
        undated_reports: whether a scan report that tells no time is denied where an age is set.
    """

    max_critical: Limit = 0
    max_high: Limit = None
    max_medium: Limit = None
    max_low: Limit = None
    max_unknown: Limit = None
    fixable_only: StrictBool = False
    ignore: Annotated[tuple[IgnoredVulnerability, ...], Field(max_length=1000)] = ()
    use_vex: StrictBool = True
    rating_sources: tuple[Text, ...] = ()
    require_report: StrictBool = True
    accept_empty_bom: StrictBool = False
    require_subject: StrictBool | Literal["auto"] = "auto"
    max_report_age: Duration | None = Field(default=None, gt=timedelta(0))
    undated_reports: Literal["deny", "allow"] = "deny"
