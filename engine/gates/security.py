"""The gate `security`: limits on what the components' scan reports name.

`engine.gates.reports` reads the formats; each module tells how it takes a format's fields.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from engine.errors import GateError, PromotionEngineError
from engine.gates.configuration import applied
from engine.gates.protocol import GateContext, GateServices
from engine.gates.reports import record, wording
from engine.gates.reports.component import ReadReport, ScannedComponent
from engine.gates.reports.exceptions import Exceptions
from engine.gates.reports.finding import Severity
from engine.gates.reports.formats import READ, parse
from engine.gates.reports.reading import MAX_BYTES, too_large
from engine.model.base import Document
from engine.model.canonical import digest_of_bytes
from engine.model.release import Attachment, Component, Release
from engine.model.security_config import SecurityConfig
from engine.model.verdict import Allow, AttributeValue, Deny, Verdict


class SecurityGate:
    """Sums the findings of all components' reports and holds them against the limits.

    What several reports of one component name is counted once. What VEX settles, what is ignored,
    and, where only fixable findings count, what has no fix, is counted apart and on record.
    """

    config: ClassVar[type[Document]] = SecurityConfig
    type: ClassVar[str] = "security"
    holds_for_rollbacks: ClassVar[bool] = True

    async def evaluate(self, context: GateContext, services: GateServices) -> Verdict:
        """Allow or deny; this gate never defers.

        Raises:
            GateError: a report cannot be read, is not what was registered, or is malformed.
        """
        config = applied(context.gate, SecurityConfig)
        release = context.promotion.release
        exceptions = Exceptions(config.ignore, context.now)
        components = []
        for component in release.components:
            reports = [
                await _read(component, attachment, config, services)
                for attachment in component.attachments
                if attachment.format in READ
            ]
            components.append(ScannedComponent(component, reports, config, exceptions))
        counted = sum((each.counts for each in components), Counter[Severity]())

        objections = [*_without_report(components, config)]
        for each in components:
            objections += each.objections(config, context.now)
        objections += wording.over_limits(components, config)
        remarks = [*wording.expired(exceptions)]
        if passed_over := wording.passed_over(components):
            remarks.append(passed_over)
        said = objections or [_within_limits(components, counted)]
        verdict = Deny if objections else Allow
        return verdict(
            reason="; ".join([*said, *remarks]),
            attributes=_attributes(components, counted),
            inputs=_inputs(release),
            evidence=record.of(components, exceptions),
        )


async def _read(
    component: Component, attachment: Attachment, config: SecurityConfig, services: GateServices
) -> ReadReport:
    where = f"scan report {attachment.name!r} of component {component.name!r}"
    try:
        if attachment.size > MAX_BYTES:
            raise too_large(attachment.size)
        data = await services.attachment(attachment.digest)
        if digest_of_bytes(data) != attachment.digest:
            raise GateError(f"its bytes do not have the registered digest {attachment.digest}")
        # A large report takes a second or more, in which the process has other work as well.
        report = await asyncio.to_thread(parse, attachment.format, data, config)
    except PromotionEngineError as error:
        raise GateError(f"{where}: {error}") from error
    services.heartbeat()
    return ReadReport(attachment, report)


def _inputs(release: Release) -> dict[str, str]:
    """Digests by attachment name, qualified by component and digest as far as names collide."""
    inputs: dict[str, str] = {}
    for component in release.components:
        for attachment in component.attachments:
            if attachment.format not in READ:
                continue
            digest = attachment.digest
            for name in (attachment.name, f"{component.name}/{attachment.name}"):
                if inputs.setdefault(name, digest) == digest:
                    break
            else:
                inputs[f"{component.name}/{attachment.name}@{digest}"] = digest
    return inputs


def _without_report(components: Sequence[ScannedComponent], config: SecurityConfig) -> list[str]:
    missing = [each.name for each in components if not each.is_scanned]
    if not config.require_report or not missing:
        return []
    formats = ", ".join(READ[:-1]) + f" or {READ[-1]}"
    return [f"no scan report ({formats}) is attached to {', '.join(missing)}"]


def _within_limits(components: Sequence[ScannedComponent], counted: Counter[Severity]) -> str:
    if not any(each.reports for each in components):
        return "no scan report"
    totals = ", ".join(f"{counted[severity]} {severity}" for severity in Severity)
    return f"{totals} found, within the limits"


def _attributes(
    components: Sequence[ScannedComponent], counted: Counter[Severity]
) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        f"vulnerabilities.{severity}": counted[severity] for severity in Severity
    }
    attributes["vulnerabilities.ignored"] = sum(len(each.ignored) for each in components)
    attributes["vulnerabilities.settled"] = sum(len(each.settled) for each in components)
    attributes["vulnerabilities.unfixable"] = sum(len(each.unfixable) for each in components)
    return attributes
