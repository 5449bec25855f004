"""What the security gate puts on record beside its inputs' digests."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engine.gates.reports.component import ReadReport, ScannedComponent
from engine.gates.reports.exceptions import Exceptions
from engine.gates.reports.finding import Severity
from engine.model.base import Json
from engine.model.verdict import MAX_EVIDENCE_BYTES

_LENGTHS = (200, 50, 20, 5, 1, 0)
"""How many entries a list may have; the first that fits is taken."""

_WIDTH = 200


def of(components: Sequence[ScannedComponent], exceptions: Exceptions) -> dict[str, Json]:
    """A summary that fits into `MAX_EVIDENCE_BYTES`.

    Lists that are too long for it end with the number of entries that are left out.
    """
    for length in _LENGTHS:
        summary = _summary(components, exceptions, length)
        if len(json.dumps(summary, ensure_ascii=False).encode()) <= MAX_EVIDENCE_BYTES:
            break
    return summary


def _summary(
    components: Sequence[ScannedComponent], exceptions: Exceptions, length: int
) -> dict[str, Json]:
    return {
        "components": _cut([_component(each, length) for each in components], length),
        "ignored": _cut(
            [
                {
                    "id": _text(entry.id),
                    "component": component,
                    "package": _text(found.package),
                    "severity": found.severity.value,
                    "reason": _text(entry.reason),
                    "expires": entry.expires.isoformat(),
                }
                for entry, component, found in exceptions.used
            ],
            length,
        ),
        "expired": _cut(
            [
                {
                    "id": _text(entry.id),
                    "component": component,
                    "expires": entry.expires.isoformat(),
                }
                for entry, component, _ in exceptions.expired
            ],
            length,
        ),
        "settled": _cut(
            [
                {
                    "id": _text(found.id),
                    "component": component.name,
                    "package": _text(found.package),
                    "severity": found.severity.value,
                    "state": statement.state.value,
                    "detail": _text(statement.detail),
                }
                for component in components
                for found in component.settled
                if (statement := found.settled_by) is not None
            ],
            length,
        ),
    }


def _component(component: ScannedComponent, length: int) -> Json:
    counts = component.counts
    return {
        "name": component.name,
        "counts": {severity.value: counts[severity] for severity in Severity},
        "ignored": len(component.ignored),
        "settled": len(component.settled),
        "unfixable": len(component.unfixable),
        "reports": _cut([_report(each) for each in component.reports], length),
    }


def _report(read: ReadReport) -> Json:
    report = read.report
    return {
        "name": _text(read.attachment.name),
        "format": read.attachment.format.value,
        "tool": _text(report.tool),
        "created_at": report.created_at.isoformat() if report.created_at is not None else None,
        "is_scan": report.is_scan,
        "names_subject": bool(report.subjects),
        "findings": {severity.value: count for severity, count in report.counts.items()},
        "suppressed": report.suppressed,
        "statements": len(report.statements),
    }


def _cut(entries: list[Json], length: int) -> Json:
    left_out = len(entries) - length
    if left_out <= 0:
        return entries
    return [*entries[:length], {"left_out": left_out}]


def _text(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
