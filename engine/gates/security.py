"""The gate `security`: limits on what the components' scan reports name."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from engine.errors import GateError, PromotionEngineError
from engine.gates.configuration import applied
from engine.gates.protocol import AttachmentReader, GateContext
from engine.gates.reports import trivy
from engine.gates.reports.finding import Finding, Severity
from engine.model.base import Document
from engine.model.canonical import digest_of_bytes
from engine.model.gate_config import SecurityConfig
from engine.model.release import Attachment, AttachmentFormat, Release
from engine.model.verdict import Allow, AttributeValue, Deny, Verdict

_PARSERS = {AttachmentFormat.TRIVY_JSON: trivy.parse}
_IDS_NAMED = 5


class SecurityGate:
    """Sums the findings of all components' reports and holds them against the limits."""

    config: ClassVar[type[Document]] = SecurityConfig
    type: ClassVar[str] = "security"

    async def evaluate(self, context: GateContext, read: AttachmentReader) -> Verdict:
        """Allow or deny; this gate never defers.

        Raises:
            GateError: a report cannot be read, is not what was registered, or is malformed.
        """
        config = applied(context.gate, SecurityConfig)
        reports = _reports(context.promotion.release)
        findings = [
            finding
            for component, attachment in reports
            for finding in await _findings(component, attachment, read)
        ]
        counted = Counter(finding.severity for finding in findings)
        attributes: dict[str, AttributeValue] = {
            f"vulnerabilities.{severity}": counted[severity]
            for severity in Severity
            if severity is not Severity.UNKNOWN
        }
        inputs = _inputs(reports)

        objections = [*_without_report(context.promotion.release, config, reports)]
        objections += _over_limit(findings, config)
        if objections:
            reason = "; ".join(objections)
            return Deny(reason=reason, attributes=attributes, inputs=inputs)
        reason = f"{_totals(counted)} found, within the limits" if reports else "no scan report"
        return Allow(reason=reason, attributes=attributes, inputs=inputs)


def _reports(release: Release) -> list[tuple[str, Attachment]]:
    return [
        (component.name, attachment)
        for component in release.components
        for attachment in component.attachments
        if attachment.format in _PARSERS
    ]


async def _findings(
    component: str, attachment: Attachment, read: AttachmentReader
) -> tuple[Finding, ...]:
    where = f"scan report {attachment.name!r} of component {component!r}"
    try:
        data = await read(attachment.digest)
        if digest_of_bytes(data) != attachment.digest:
            raise GateError(f"its bytes do not have the registered digest {attachment.digest}")
        return _PARSERS[attachment.format](data).findings
    except PromotionEngineError as error:
        raise GateError(f"{where}: {error}") from error


def _inputs(reports: list[tuple[str, Attachment]]) -> dict[str, str]:
    """Digests by attachment name, qualified by component and digest as far as names collide."""
    inputs: dict[str, str] = {}
    for component, attachment in reports:
        digest = attachment.digest
        for name in (attachment.name, f"{component}/{attachment.name}"):
            if inputs.setdefault(name, digest) == digest:
                break
        else:
            inputs[f"{component}/{attachment.name}@{digest}"] = digest
    return inputs


def _without_report(
    release: Release, config: SecurityConfig, reports: list[tuple[str, Attachment]]
) -> list[str]:
    having = {component for component, _ in reports}
    missing = [each.name for each in release.components if each.name not in having]
    if not config.require_report or not missing:
        return []
    formats = " or ".join(_PARSERS)
    return [f"no scan report ({formats}) is attached to {', '.join(missing)}"]


def _over_limit(findings: list[Finding], config: SecurityConfig) -> list[str]:
    limits = {
        Severity.CRITICAL: config.max_critical,
        Severity.HIGH: config.max_high,
        Severity.MEDIUM: config.max_medium,
        Severity.LOW: config.max_low,
    }
    objections = []
    to_name = _IDS_NAMED
    for severity, limit in limits.items():
        ids = [finding.id for finding in findings if finding.severity is severity]
        if limit is None or len(ids) <= limit:
            continue
        distinct = tuple(dict.fromkeys(ids))
        named = distinct[:to_name]
        to_name -= len(named)
        rest = ", …" if len(named) < len(distinct) else ""
        which = f" ({', '.join(named)}{rest})" if named else ""
        objections.append(f"{len(ids)} {severity} found, at most {limit} allowed{which}")
    return objections


def _totals(counted: Counter[Severity]) -> str:
    return ", ".join(f"{counted[severity]} {severity}" for severity in Severity)
