"""Which attachments are reports, and who reads them."""

from __future__ import annotations

from dataclasses import replace

from engine.errors import GateError
from engine.gates.reports import cyclonedx, grype, sarif, trivy
from engine.gates.reports.finding import Report
from engine.model.release import AttachmentFormat
from engine.model.security_config import SecurityConfig

READ = (
    AttachmentFormat.TRIVY_JSON,
    AttachmentFormat.GRYPE_JSON,
    AttachmentFormat.SARIF,
    AttachmentFormat.CYCLONEDX_JSON,
)
"""The formats that are read."""


def parse(format: AttachmentFormat, data: bytes, config: SecurityConfig) -> Report:
    """What a report in one of the formats in `READ` says.

    Raises:
        GateError: the bytes are no such report; says where and why.
    """
    match format:
        case AttachmentFormat.TRIVY_JSON:
            return trivy.parse(data)
        case AttachmentFormat.GRYPE_JSON:
            return grype.parse(data)
        case AttachmentFormat.SARIF:
            return sarif.parse(data)
        case AttachmentFormat.CYCLONEDX_JSON:
            report = cyclonedx.parse(data, config.rating_sources)
            names_nothing = not report.findings and not report.statements
            if config.accept_empty_bom and names_nothing:
                return replace(report, is_scan=True)
            return report
        case AttachmentFormat.OTHER:
            raise GateError("its format is not read")
