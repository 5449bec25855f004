"""The parts of a CycloneDX JSON document that are read.

Source: https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.gates.reports.finding import Analysis
from engine.gates.reports.reading import Part

RatedSeverity = Literal["critical", "high", "medium", "low", "info", "none", "unknown"]


class Hash(Part):
    """The digest of a part."""

    algorithm: str = Field(default="", alias="alg")
    content: str = ""


class Property(Part):
    """A name and a value, as tools like them."""

    name: str = ""
    value: str | None = None


class Component(Part):
    """A part of the product, or the product itself (`metadata.component`)."""

    ref: str = Field(default="", alias="bom-ref")
    group: str | None = None
    name: str = ""
    version: str | None = None
    purl: str | None = None
    hashes: tuple[Hash, ...] | None = None
    properties: tuple[Property, ...] | None = None
    components: tuple[Component, ...] | None = None

    @property
    def full_name(self) -> str:
        """The name after its group, if it has one."""
        return f"{self.group}/{self.name}" if self.group else self.name


class Tool(Part):
    """What made the document."""

    name: str = ""
    version: str | None = None


class Tools(Part):
    """The same since version 1.5."""

    components: tuple[Tool, ...] | None = None


class Metadata(Part):
    """When, by what and about what the document was made."""

    timestamp: str | None = None
    tools: tuple[Tool, ...] | Tools | None = None
    component: Component | None = None


class Source(Part):
    """Who says so."""

    name: str | None = None


class Rating(Part):
    """How bad somebody holds a vulnerability to be."""

    source: Source | None = None
    score: float | None = None
    severity: RatedSeverity | None = None
    method: str | None = None

    @property
    def source_name(self) -> str:
        """The source's name in lower case; may be empty."""
        return (self.source.name or "").lower() if self.source is not None else ""


class Reference(Part):
    """What somebody else calls the vulnerability."""

    id: str = ""


class VulnerabilityAnalysis(Part):
    """What became of the vulnerability in the product (VEX)."""

    state: Analysis | None = None
    justification: str | None = None
    response: tuple[str, ...] | None = None
    detail: str | None = None
    last_updated: str | None = Field(default=None, alias="lastUpdated")


class Version(Part):
    """A version, or a range of them, that is affected or not."""

    version: str | None = None
    status: Literal["affected", "unaffected", "unknown"] = "affected"


class Affected(Part):
    """A part that a vulnerability is about."""

    ref: str
    versions: tuple[Version, ...] | None = None

    @property
    def exact_versions(self) -> tuple[str, ...]:
        """The versions that are named one by one."""
        return tuple(each.version for each in self.versions or () if each.version)


class Vulnerability(Part):
    """A vulnerability."""

    id: str = Field(min_length=1)
    references: tuple[Reference, ...] | None = None
    ratings: tuple[Rating, ...] | None = None
    recommendation: str | None = None
    analysis: VulnerabilityAnalysis | None = None
    affects: tuple[Affected, ...] | None = None

    @property
    def aliases(self) -> tuple[str, ...]:
        """The ids of its references, its own not among them."""
        ids = dict.fromkeys(each.id for each in self.references or () if each.id)
        ids.pop(self.id, None)
        return tuple(ids)

    @property
    def state(self) -> Analysis | None:
        """The state of its analysis."""
        return self.analysis.state if self.analysis is not None else None


class Bom(Part):
    """A document. Vulnerabilities are known since version 1.4."""

    bom_format: Literal["CycloneDX"] = Field(alias="bomFormat")
    spec_version: Literal["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"] = Field(alias="specVersion")
    serial_number: str | None = Field(default=None, alias="serialNumber")
    metadata: Metadata = Field(default_factory=Metadata)
    components: tuple[Component, ...] | None = None
    vulnerabilities: tuple[Vulnerability, ...] | None = None

    @property
    def serial(self) -> str:
        """The UUID of its serial number; may be empty."""
        return (self.serial_number or "").lower().removeprefix("urn:uuid:")

    @property
    def subject(self) -> Component:
        """What it is about."""
        return self.metadata.component or Component()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What made it."""
        tools = self.metadata.tools
        return (tools.components or ()) if isinstance(tools, Tools) else (tools or ())
