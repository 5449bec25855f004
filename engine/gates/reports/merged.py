"""The findings of all reports of one component, each once, and what VEX says about them.

Two findings are one when they are at the same place and share an id, unless they name different
CVEs: a vendor's advisory often covers several. The worst severity that a report tells holds. There
is a fix when a report knows of one, and none when all that can tell say so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

from engine.gates.reports import places
from engine.gates.reports.finding import WHOLE, Finding, Fix, Report, Severity, Statement

_WORST_FIRST = tuple(Severity)
_FIXES_FIRST = (Fix.AVAILABLE, Fix.NONE, Fix.UNTOLD)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Vulnerability:
    """One vulnerability at one place of a component.

    Attributes:
        ids: all its ids, in upper case.
        own_ids: those that are not aliases.
        settled_by: the analysis by which it does not count.
    """

    def __init__(self, first: Finding) -> None:
        self.package = first.package
        self.place = first.place
        self.version = first.installed_version
        self.severity = first.severity
        self.fix = first.fix
        self.fixed_version = first.fixed_version
        self.ids = frozenset(map(str.upper, (first.id, *first.aliases)))
        self.own_ids = frozenset({first.id.upper()})
        self.settled_by: Statement | None = None
        self._shown = first.id

    @property
    def id(self) -> str:
        """What to call it: its CVE where it has one."""
        return next(iter(self.cves)) if len(self.cves) == 1 else self._shown

    @property
    def cves(self) -> frozenset[str]:
        """Those ids that are CVEs."""
        return frozenset(id for id in self.ids if id.startswith("CVE-"))

    def add(self, other: Finding) -> None:
        """Take in what another report says about the same."""
        self.ids |= {id.upper() for id in (other.id, *other.aliases)}
        self.own_ids |= {other.id.upper()}
        self.severity = min(self.severity, other.severity, key=_WORST_FIRST.index)
        self.fix = min(self.fix, other.fix, key=_FIXES_FIRST.index)
        self.fixed_version = self.fixed_version or other.fixed_version

    def is_covered_by(self, ids: Collection[str]) -> bool:
        """Whether who speaks of `ids`, in upper case, speaks of all of this.

        An alias is enough, except where this covers several CVEs: then all of them, or its own id.
        """
        if len(self.cves) > 1:
            return self.cves <= set(ids) or not self.own_ids.isdisjoint(ids)
        return not self.ids.isdisjoint(ids)


def merge(reports: Sequence[Report], *, use_vex: bool = True) -> list[Vulnerability]:
    """The vulnerabilities of a component, in the order of its reports.

    Args:
        use_vex: whether the reports' statements are heeded.
    """
    found = _Found()
    numbered = list(enumerate(chain.from_iterable(report.findings for report in reports)))
    # Those that know more ids first, since they tie the others together; those that only say that
    # the component is concerned last, since others may know the place.
    numbered.sort(key=lambda each: (each[1].place == WHOLE, -len(each[1].aliases), each[0]))
    for position, finding in numbered:
        found.add(position, finding)
    vulnerabilities = found.in_order()
    if use_vex:
        statements = _Statements(reports)
        for vulnerability in vulnerabilities:
            vulnerability.settled_by = statements.settling(vulnerability)
    return vulnerabilities


class _Found:
    def __init__(self) -> None:
        self._positions: dict[int, tuple[int, Vulnerability]] = {}
        self._at: defaultdict[tuple[str, str], list[Vulnerability]] = defaultdict(list)
        self._anywhere: defaultdict[str, list[Vulnerability]] = defaultdict(list)

    def add(self, position: int, finding: Finding) -> None:
        ids = [id.upper() for id in (finding.id, *finding.aliases)]
        vulnerability = self._same(finding.place, ids)
        if vulnerability is None:
            vulnerability = Vulnerability(finding)
            self._positions[id(vulnerability)] = (position, vulnerability)
        else:
            vulnerability.add(finding)
            before = self._positions[id(vulnerability)][0]
            self._positions[id(vulnerability)] = (min(before, position), vulnerability)
        for each in ids:
            for known in (self._at[vulnerability.place, each], self._anywhere[each]):
                if vulnerability not in known:
                    known.append(vulnerability)

    def in_order(self) -> list[Vulnerability]:
        return [found for _, found in sorted(self._positions.values(), key=lambda each: each[0])]

    def _same(self, place: str, ids: Sequence[str]) -> Vulnerability | None:
        cves = {each for each in ids if each.startswith("CVE-")}
        for each in ids:
            known = self._anywhere[each] if place == WHOLE else self._at[place, each]
            for candidate in known:
                if not cves or not candidate.cves or candidate.cves == cves:
                    return candidate
        return None


class _Statements:
    """What is said about the component's vulnerabilities, the latest word last."""

    def __init__(self, reports: Sequence[Report]) -> None:
        elsewhere = {report.serial: report.parts for report in reports if report.serial}
        said = [
            resolved
            for report in reports
            for statement in report.statements
            if (resolved := _resolved(statement, elsewhere)) is not None
        ]
        # Of two words from the same time, the one that lets less pass is the last.
        said.sort(key=lambda each: (each.at or _LONG_AGO, not each.state.settles))
        self._order = {id(statement): number for number, statement in enumerate(said)}
        self._by_id: defaultdict[str, list[Statement]] = defaultdict(list)
        for statement in said:
            for each in statement.ids:
                self._by_id[each.upper()].append(statement)

    def settling(self, vulnerability: Vulnerability) -> Statement | None:
        """The statement by which a vulnerability does not count; None when it counts."""
        if len(vulnerability.cves) <= 1:
            last = self._last(vulnerability, vulnerability.ids)
            return last if last is not None and last.state.settles else None
        last = self._last(vulnerability, vulnerability.own_ids - vulnerability.cves)
        if last is not None:
            return last if last.state.settles else None
        words = [self._last(vulnerability, {cve}) for cve in sorted(vulnerability.cves)]
        settling = [word for word in words if word is not None and word.state.settles]
        return settling[0] if len(settling) == len(words) else None

    def _last(self, vulnerability: Vulnerability, ids: Iterable[str]) -> Statement | None:
        concerned = [
            statement
            for each in ids
            for statement in self._by_id.get(each, ())
            if _concerns(statement, vulnerability)
        ]
        return max(concerned, key=lambda each: self._order[id(each)], default=None)


def _resolved(statement: Statement, elsewhere: Mapping[str, Mapping[str, str]]) -> Statement | None:
    """The statement with its place; None when that cannot be told."""
    if not statement.link:
        return statement
    serial, ref = statement.link
    place = elsewhere.get(serial, {}).get(ref, statement.place)
    if place is None or (place == WHOLE and statement.versions):
        return None
    return statement._replace(place=place)


def _concerns(statement: Statement, vulnerability: Vulnerability) -> bool:
    if statement.place == WHOLE:
        return True
    if statement.place is None or not places.matches(vulnerability.place, statement.place):
        return False
    return not statement.versions or vulnerability.version in statement.versions
