"""The security gate's reasons: which vulnerabilities, where, and what helps."""

from __future__ import annotations

from collections.abc import Sequence

from engine.gates.reports.component import ScannedComponent
from engine.gates.reports.exceptions import Exceptions
from engine.gates.reports.finding import Fix, Severity
from engine.gates.reports.merged import Vulnerability
from engine.model.security_config import SecurityConfig

_NAMED = 5
"""How many vulnerabilities, and how many exceptions, a reason names."""

_WIDTH = 80


def over_limits(components: Sequence[ScannedComponent], config: SecurityConfig) -> list[str]:
    """One clause for each limit that is exceeded, the worst severity first."""
    limits = {
        Severity.CRITICAL: config.max_critical,
        Severity.HIGH: config.max_high,
        Severity.MEDIUM: config.max_medium,
        Severity.LOW: config.max_low,
        Severity.UNKNOWN: config.max_unknown,
    }
    clauses = []
    to_name = _NAMED
    for severity, limit in limits.items():
        found = [
            (component.name, vulnerability)
            for component in components
            for vulnerability in component.counted
            if vulnerability.severity is severity
        ]
        if limit is None or len(found) <= limit:
            continue
        named = [_found(*each) for each in found[:to_name]]
        to_name -= len(named)
        if len(named) < len(found):
            named.append(f"{len(found) - len(named)} more" if named else "")
        which = ": " + ", ".join(named) if any(named) else ""
        what = "of unknown severity" if severity is Severity.UNKNOWN else severity.value
        clauses.append(f"{len(found)} {what} found, at most {limit} allowed{which}")
    return clauses


def expired(exceptions: Exceptions) -> list[str]:
    """One clause for each exception that has run out."""
    entries = list(dict.fromkeys((entry.id, entry.expires) for entry, _, _ in exceptions.expired))
    clauses = [
        f"the exception for {_short(id)} expired on {day}, so that it counts again"
        for id, day in entries[:_NAMED]
    ]
    if len(entries) > _NAMED:
        clauses.append(f"{len(entries) - _NAMED} more exceptions have expired")
    return clauses


def passed_over(components: Sequence[ScannedComponent]) -> str:
    """How many vulnerabilities do not count, and why; empty when all count."""
    numbers = (
        (sum(len(each.ignored) for each in components), "ignored"),
        (sum(len(each.settled) for each in components), "settled by VEX"),
        (sum(len(each.unfixable) for each in components), "without a fix"),
    )
    told = [f"{number} {why}" for number, why in numbers if number]
    return f"not counted: {', '.join(told)}" if told else ""


def _found(component: str, vulnerability: Vulnerability) -> str:
    package = _short(f"{vulnerability.package} {vulnerability.version}".strip())
    match vulnerability.fix:
        case Fix.AVAILABLE if vulnerability.fixed_version:
            fix = f" (fixed in {_short(vulnerability.fixed_version)})"
        case Fix.AVAILABLE:
            fix = " (has a fix)"
        case Fix.NONE:
            fix = " (no fix yet)"
        case Fix.UNTOLD:
            fix = ""
    return f"{_short(vulnerability.id)} in {package} of {component}{fix}"


def _short(text: str) -> str:
    """The text on one line, cut to `_WIDTH`."""
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
