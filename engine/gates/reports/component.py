"""Everything that is known about one component of a release: its reports, read and put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import durationpy

from engine.gates.reports.exceptions import Exceptions
from engine.gates.reports.finding import Fix, Report, Severity
from engine.gates.reports.merged import Vulnerability, merge
from engine.model.release import Attachment, Component
from engine.model.security_config import SecurityConfig

_CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours a scanner's clock may be."""


class ReadReport(NamedTuple):
    """A report and the attachment that it was read from."""

    attachment: Attachment
    report: Report


class ScannedComponent:
    """A component with what its reports say.

    Attributes:
        counted: the vulnerabilities that are held against the limits.
        settled: those that VEX settles.
        ignored: those that are passed over.
        unfixable: those without a fix, where only fixable ones count.
    """

    def __init__(
        self,
        component: Component,
        reports: Sequence[ReadReport],
        config: SecurityConfig,
        exceptions: Exceptions,
    ) -> None:
        self.component = component
        self.reports = reports
        self.counted: list[Vulnerability] = []
        self.settled: list[Vulnerability] = []
        self.ignored: list[Vulnerability] = []
        self.unfixable: list[Vulnerability] = []
        found = merge([each.report for each in reports], use_vex=config.use_vex)
        for vulnerability in found:
            if vulnerability.settled_by is not None:
                self.settled.append(vulnerability)
            elif exceptions.cover(vulnerability, component.name):
                self.ignored.append(vulnerability)
            elif config.fixable_only and vulnerability.fix is Fix.NONE:
                self.unfixable.append(vulnerability)
            else:
                self.counted.append(vulnerability)

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def is_scanned(self) -> bool:
        """Whether a report tells the result of a scan."""
        return any(each.report.is_scan for each in self.reports)

    @property
    def counts(self) -> Counter[Severity]:
        """Counted vulnerabilities by severity."""
        return Counter(each.severity for each in self.counted)

    def objections(self, config: SecurityConfig, now: datetime) -> list[str]:
        """What is wrong with the reports themselves: about something else, or too old."""
        found = [
            objection
            for each in self.reports
            for objection in (self._about_another(each, config), _too_old(each, config, now))
            if objection
        ]
        must_be_proven = config.require_subject == "auto" and self.component.artifact.startswith(
            "oci:"
        )
        if must_be_proven and not found and self.is_scanned and not self._is_proven:
            found.append(
                f"no report tells that it is about {self.component.digest}; "
                "scan the image by its digest"
            )
        return [f"component {self.name}: {objection}" for objection in found]

    @property
    def _is_proven(self) -> bool:
        return any(self.component.digest in each.report.subjects for each in self.reports)

    def _about_another(self, read: ReadReport, config: SecurityConfig) -> str:
        if config.require_subject is False:
            return ""
        subjects = read.report.subjects
        if subjects and self.component.digest not in subjects:
            return (
                f"report {read.attachment.name} is about {subjects[0]}, not about "
                f"{self.component.digest}; scan what is released"
            )
        if config.require_subject is True and not subjects and read.report.is_scan:
            return (
                f"report {read.attachment.name} does not tell the digest of what was scanned; "
                "scan the image by its digest, or set require_subject to auto or false"
            )
        return ""


def _too_old(read: ReadReport, config: SecurityConfig, now: datetime) -> str:
    oldest, created_at = config.max_report_age, read.report.created_at
    if oldest is None or not read.report.is_scan:
        return ""
    name = read.attachment.name
    if created_at is None:
        if config.undated_reports == "allow":
            return ""
        return (
            f"report {name} does not tell when it was made; attach the scanner's JSON, "
            "or set undated_reports to allow"
        )
    made = f"report {name} is from {created_at:%Y-%m-%dT%H:%M:%SZ}"
    if created_at > now + _CLOCK_SKEW:
        return f"{made}, which is still to come; check the scanner's clock"
    if now - created_at > oldest:
        return f"{made}, older than {durationpy.to_str(oldest)}; scan again"
    return ""
