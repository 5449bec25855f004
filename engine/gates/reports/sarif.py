"""SARIF 2.1.0.

A result is a finding when its kind is `fail`, `open` or `review`, it is not suppressed by an
accepted suppression, and its baseline state is not `absent`. Its severity follows GitHub's reading
of the rule's property `security-severity`: from 9.0 critical, 7.0 high, 4.0 medium, above 0 low.
A score of zero tells none. Without the property its level counts: `error` is high, `warning`
medium, `note` low.

Trivy and Grype put package, version and fix into texts; these are read, so that the findings can be
held against other reports (`packages_in_sarif`). For all others the place is file, line and column,
and whether there is a fix is untold. The subjects are the `sha-256` hashes of artifacts with the
role `analysisTarget`, and the digests in the run's properties `repoDigests` and `imageID` (Trivy).
The time is the end or start of the oldest run's invocations.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html and
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from engine.errors import GateError
from engine.gates.reports.finding import Finding, Fix, Report, Severity
from engine.gates.reports.packages_in_sarif import package_of
from engine.gates.reports.reading import (
    MAX_SCORE,
    bounded,
    digests,
    moment,
    named,
    parsed,
    severity_of_score,
)
from engine.gates.reports.sarif_log import Level, Log, Result, Rule, Run

_LEVELS = {
    Level.ERROR: Severity.HIGH,
    Level.WARNING: Severity.MEDIUM,
    Level.NOTE: Severity.LOW,
    Level.NONE: Severity.UNKNOWN,
}
_FINDINGS = ("fail", "open", "review")


def parse(data: bytes) -> Report:
    """What a log's runs say together.

    Raises:
        GateError: the bytes are no such log, a run did not succeed, or holds no results of its
            own; says where and why.
    """
    log = parsed(data, Log, "a SARIF log, version 2.1.0")
    runs = log.runs or ()
    if not runs:
        raise GateError("runs: there are none, so that nothing was scanned")
    for number, run in enumerate(runs):
        _check_complete(run, f"runs.{number}")
    return Report(
        findings=bounded(
            finding
            for number, run in enumerate(runs)
            for finding in _findings(run, f"runs.{number}")
        ),
        tool=", ".join(
            dict.fromkeys(
                named(run.tool.driver.name, run.tool.driver.shown_version) for run in runs
            )
        ),
        created_at=_created_at(runs),
        subjects=digests([text for run in runs for text in run.subjects()]),
        suppressed=sum(result.is_suppressed for run in runs for result in run.results or ()),
    )


def _check_complete(run: Run, where: str) -> None:
    if run.results is None:
        elsewhere = run.external is not None and run.external.results
        problem = "are in other files" if elsewhere else "are missing, so that nothing was scanned"
        raise GateError(f"{where}.results: {problem}; attach a log that holds them")
    for number, invocation in enumerate(run.invocations or ()):
        if not invocation.succeeded:
            raise GateError(
                f"{where}.invocations.{number}.executionSuccessful: the tool says that it failed"
            )


def _created_at(runs: Sequence[Run]) -> datetime | None:
    """The earliest run's time; None when a run has none."""
    times = []
    for number, run in enumerate(runs):
        moments = [
            moment(
                invocation.ended_at or invocation.started_at, f"runs.{number}.invocations.{index}"
            )
            for index, invocation in enumerate(run.invocations or ())
        ]
        known = [each for each in moments if each is not None]
        if not known:
            return None
        times.append(max(known))
    return min(times)


def _findings(run: Run, where: str) -> Iterator[Finding]:
    rules = _Rules(run)
    for number, result in enumerate(run.results or ()):
        if result.kind not in _FINDINGS or result.is_suppressed or result.baseline == "absent":
            continue
        here = f"{where}.results.{number}"
        rule = rules.of(result)
        id = result.given_id or (rule.id if rule else "")
        if not id:
            raise GateError(f"{here}.ruleId: the result names no rule")
        found = package_of(run.tool.driver.name, id, result, rule)
        if found is None:
            place = result.first_place
            yield Finding(
                id=id,
                severity=_severity(result, rule, here),
                package=place or "an unnamed place",
                # A result without a place is like no other.
                place=place or f"result {here}",
                fix=Fix.AVAILABLE if result.fixes else Fix.UNTOLD,
            )
        else:
            yield Finding(
                id=found.id,
                severity=_severity(result, rule, here),
                package=found.name,
                place=found.place,
                installed_version=found.version,
                fix=Fix.AVAILABLE if found.fixed else Fix.NONE,
                fixed_version=found.fixed,
            )


def _severity(result: Result, rule: Rule | None, where: str) -> Severity:
    score = rule.score if rule is not None and rule.score is not None else result.score
    if score is None:
        return _LEVELS[_level(result, rule)]
    try:
        number = float(score)
    except ValueError:
        number = -1.0
    # Written so that a NaN is refused too.
    if not 0 <= number <= MAX_SCORE:
        raise GateError(
            f"{where}: the security-severity of {result.given_id or 'its rule'} is not a number "
            f"from 0 to {MAX_SCORE:.0f}"
        )
    return severity_of_score(number)


def _level(result: Result, rule: Rule | None) -> Level:
    """The level by §3.27.10: the result's own, its rule's, or `warning`."""
    if result.level is not None:
        return result.level
    if rule is not None and rule.configuration is not None and rule.configuration.level is not None:
        return rule.configuration.level
    return Level.WARNING


class _Rules:
    """Finds the rule of a result: by index in the tool component that it names, else by id."""

    def __init__(self, run: Run) -> None:
        self._components = (run.tool.driver, *(run.tool.extensions or ()))
        self._by_id: dict[str, Rule] = {}
        for component in reversed(self._components):
            for rule in reversed(component.rules or ()):
                self._by_id[rule.id] = rule

    def of(self, result: Result) -> Rule | None:
        # An index of -1 says that there is none.
        index, component = result.rule_index, 0
        if result.rule is not None:
            index = result.rule.index if result.rule.index >= 0 else index
            if result.rule.component is not None:
                # Extensions are counted without the driver.
                component = result.rule.component.index + 1
        if index >= 0 and 0 <= component < len(self._components):
            rules = self._components[component].rules or ()
            if index < len(rules):
                return rules[index]
        id = result.given_id
        # `CA1000/1` is a case of the rule `CA1000`.
        return self._by_id.get(id) or self._by_id.get(id.rpartition("/")[0])
