"""The vulnerabilities that a configuration passes over until a date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from engine.gates.reports import places
from engine.gates.reports.merged import Vulnerability
from engine.model.security_config import IgnoredVulnerability


class Exceptions:
    """An ignore list as it stands at one moment.

    Attributes:
        used: the entries that passed something over, with where.
        expired: the entries that would have, but have run out, with where.
    """

    def __init__(self, ignored: Sequence[IgnoredVulnerability], now: datetime) -> None:
        self.used: list[tuple[IgnoredVulnerability, str, Vulnerability]] = []
        self.expired: list[tuple[IgnoredVulnerability, str, Vulnerability]] = []
        self._by_id: defaultdict[str, list[IgnoredVulnerability]] = defaultdict(list)
        for entry in ignored:
            self._by_id[entry.id.upper()].append(entry)
        self._today = now.astimezone(UTC).date()

    def cover(self, vulnerability: Vulnerability, component: str) -> bool:
        """Whether a vulnerability of a component is passed over."""
        concerned = [
            entry
            for id in sorted(vulnerability.ids & self._by_id.keys())
            for entry in self._by_id[id]
            if _concerns(entry, vulnerability, component)
        ]
        if not concerned:
            return False
        in_force = [entry for entry in concerned if entry.expires >= self._today]
        if vulnerability.is_covered_by([entry.id.upper() for entry in in_force]):
            self.used += [(entry, component, vulnerability) for entry in in_force]
            return True
        if vulnerability.is_covered_by([entry.id.upper() for entry in concerned]):
            self.expired += [
                (entry, component, vulnerability)
                for entry in concerned
                if entry.expires < self._today
            ]
        return False


def _concerns(entry: IgnoredVulnerability, found: Vulnerability, component: str) -> bool:
    return entry.component in (None, component) and (
        entry.package is None
        or entry.package == found.package
        or places.name_of(entry.package) == found.place.rpartition("@")[0]
    )
