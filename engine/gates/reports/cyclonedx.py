"""CycloneDX JSON up to version 1.7: a BOM with vulnerabilities, or their analyses alone (VEX).

Each pair of vulnerability and affected part is a finding. The severity is that of the first of the
given rating sources that has one, else the highest rating; a rating without severity has that of
its CVSS score. `info` and `none` are low. Aliases are the `references`. There is
a fix when there is a recommendation or the response is `update`, none when the response is
`will_not_fix` or `can_not_fix` (or when Trivy, which recommends every fix, recommends nothing), and
otherwise it is untold.

An analysis becomes a statement about the part that it names: by the document's own reference, a
BOM-Link, or a package URL; about the whole component when it names the document's subject or
nothing. One that names something else is about nothing. Where it lists versions, only those named
one by one count. A vulnerability that is settled is a finding only where the document lists the
part, so that a VEX document adds no findings by clearing them.

The subjects are the SHA-256 hashes of `metadata.component` and the digests in its version, purl,
`bom-ref`, and Trivy's properties `RepoDigest` and `ImageID`. A BOM that names no vulnerability is a
list of parts and not the result of a scan, unless Grype made it, which does nothing but scan.

Source: https://cyclonedx.org/docs/1.6/json/ and https://cyclonedx.org/capabilities/bomlink/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from engine.gates.reports import places
from engine.gates.reports.cyclonedx_bom import Affected, Bom, Component, Rating, Vulnerability
from engine.gates.reports.finding import WHOLE, Finding, Fix, Report, Severity, Statement
from engine.gates.reports.reading import (
    bounded,
    digests,
    moment,
    named,
    parsed,
    severity_of_score,
)

_SEVERITIES = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "info": Severity.LOW,
    "none": Severity.LOW,
    "unknown": Severity.UNKNOWN,
}
_WORST_FIRST = tuple(Severity)
_BOM_LINK = re.compile(r"urn:cdx:(?P<serial>[0-9a-fA-F-]{36})/[0-9]+(?:#(?P<ref>.*))?", re.DOTALL)
_SUBJECT_PROPERTIES = ("aquasecurity:trivy:RepoDigest", "aquasecurity:trivy:ImageID")
_UNFIXABLE = ("will_not_fix", "can_not_fix")


def parse(data: bytes, rating_sources: Sequence[str] = ()) -> Report:
    """What a document says.

    Args:
        rating_sources: names of rating sources in order of preference, in any case.

    Raises:
        GateError: the bytes are no such document; says where and why.
    """
    bom = parsed(data, Bom, "a CycloneDX JSON document, version 1.2 to 1.7")
    reader = _Reader(bom, [source.lower() for source in rating_sources])
    return Report(
        findings=bounded(reader.findings()),
        statements=tuple(reader.statements()),
        tool=", ".join(named(tool.name, tool.version) for tool in bom.tools),
        created_at=reader.created_at,
        subjects=digests(_subject_texts(bom.subject)),
        is_scan=reader.is_scan,
        serial=bom.serial,
        parts=reader.places,
    )


class _Target(NamedTuple):
    """What an `affects` is about.

    Attributes:
        place: None when it cannot be told from this document.
        part: the part of this document.
        link: the serial number of another document and the reference there.
    """

    place: str | None
    part: Component | None = None
    link: tuple[str, str] | tuple[()] = ()


class _Reader:
    """Reads one document.

    Attributes:
        places: of the document's parts by reference; the subject's is `WHOLE`.
    """

    def __init__(self, bom: Bom, sources: Sequence[str]) -> None:
        self.created_at = moment(bom.metadata.timestamp, "metadata.timestamp")
        self._vulnerabilities = bom.vulnerabilities or ()
        self._has_parts = bool(bom.components)
        self._made_by = {tool.name.lower() for tool in bom.tools}
        self._serial = bom.serial
        self._subject = bom.subject
        self._sources = sources
        self._parts = {part.ref: part for part in _within(bom.components or ()) if part.ref}
        self.places = {
            ref: places.package(part.name, part.version or "") for ref, part in self._parts.items()
        }
        if self._subject.ref:
            self.places[self._subject.ref] = WHOLE

    @property
    def is_scan(self) -> bool:
        return (
            "grype" in self._made_by
            or (self._has_parts and bool(self._vulnerabilities))
            or any(each.state is None for each in self._vulnerabilities)
        )

    def findings(self) -> Iterator[Finding]:
        for vulnerability in self._vulnerabilities:
            severity = self._severity(vulnerability.ratings or ())
            fix = self._fix(vulnerability)
            for affected in vulnerability.affects or (Affected(ref=""),):
                target = self._target(affected.ref)
                part = target.part
                is_settled = vulnerability.state is not None and vulnerability.state.settles
                if (is_settled and part is None) or _is_unaffected(affected):
                    continue
                place = target.place or WHOLE
                package = part.full_name if part is not None else place.rpartition("@")[0]
                yield Finding(
                    id=vulnerability.id,
                    aliases=vulnerability.aliases,
                    severity=severity,
                    package=package or "the component as a whole",
                    place=place,
                    installed_version=(
                        part.version or "" if part is not None else places.version_of(place)
                    ),
                    fix=fix,
                    fixed_version=_recommended_version(vulnerability, package),
                )

    def statements(self) -> Iterator[Statement]:
        for number, vulnerability in enumerate(self._vulnerabilities):
            analysis = vulnerability.analysis
            if analysis is None or analysis.state is None:
                continue
            updated = moment(
                analysis.last_updated, f"vulnerabilities.{number}.analysis.lastUpdated"
            )
            for affected in vulnerability.affects or (Affected(ref=""),):
                target = self._target(affected.ref)
                versions = affected.exact_versions
                if target.place == WHOLE and not target.link and affected.versions:
                    if self._subject.version not in versions:
                        continue
                    versions = ()
                elif affected.versions and not versions:
                    continue
                if target.place is None and not target.link:
                    continue
                yield Statement(
                    ids=(vulnerability.id, *vulnerability.aliases),
                    state=analysis.state,
                    place=target.place,
                    link=target.link,
                    versions=versions,
                    detail=analysis.justification or analysis.detail or "",
                    at=updated or self.created_at,
                )

    def _target(self, ref: str) -> _Target:
        if not ref:
            return _Target(WHOLE)
        if ref in self.places:
            return _Target(self.places[ref], self._parts.get(ref))
        link = _BOM_LINK.fullmatch(ref)
        if link is None:
            return _Target(places.of_purl(ref))
        serial, inner = link["serial"].lower(), unquote(link["ref"] or "")
        if serial == self._serial:
            return self._target(inner)
        return _Target(places.of_purl(inner), link=(serial, inner))

    def _severity(self, ratings: Sequence[Rating]) -> Severity:
        for source in self._sources:
            told = [_rated(each) for each in ratings if each.source_name == source]
            known = [severity for severity in told if severity is not None]
            if known:
                return min(known, key=_WORST_FIRST.index)
        rated = [severity for each in ratings if (severity := _rated(each)) is not None]
        return min(rated, key=_WORST_FIRST.index, default=Severity.UNKNOWN)

    def _fix(self, vulnerability: Vulnerability) -> Fix:
        analysis = vulnerability.analysis
        responses = (analysis.response or ()) if analysis is not None else ()
        if vulnerability.recommendation or "update" in responses:
            return Fix.AVAILABLE
        if "trivy" in self._made_by or any(each in _UNFIXABLE for each in responses):
            return Fix.NONE
        return Fix.UNTOLD


def _within(components: Sequence[Component]) -> Iterator[Component]:
    """Components and those inside them, the outer ones first."""
    waiting = list(reversed(components))
    while waiting:
        part = waiting.pop()
        yield part
        waiting += reversed(part.components or ())


def _rated(rating: Rating) -> Severity | None:
    if rating.severity is not None:
        return _SEVERITIES[rating.severity]
    if rating.score is not None and (rating.method or "").startswith("CVSS"):
        return severity_of_score(rating.score)
    return None


def _is_unaffected(affected: Affected) -> bool:
    return bool(affected.versions) and all(
        each.status == "unaffected" for each in affected.versions or ()
    )


def _recommended_version(vulnerability: Vulnerability, package: str) -> str:
    """The version in Trivy's `Upgrade NAME to version VERSION`; empty in other words."""
    found = re.search(
        rf"Upgrade {re.escape(package)} to version ([^;]+)", vulnerability.recommendation or ""
    )
    return found[1].strip() if found else ""


def _subject_texts(subject: Component) -> list[str | None]:
    hashes = [
        f"sha256:{each.content}"
        for each in subject.hashes or ()
        if each.algorithm.upper() == "SHA-256"
    ]
    values = [each.value for each in subject.properties or () if each.name in _SUBJECT_PROPERTIES]
    return [*hashes, subject.version, subject.purl, subject.ref, *values]
