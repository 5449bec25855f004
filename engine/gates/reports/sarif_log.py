"""The parts of a SARIF 2.1.0 log that are read.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from engine.gates.reports.reading import Part


class Level(StrEnum):
    """How severe a result is (§3.27.10)."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NONE = "none"


class Message(Part):
    """A text, or the message string that a rule or the log keeps for it (§3.11)."""

    text: str = ""


class Properties(Part):
    """A property bag (§3.8), as far as it concerns severity and subject."""

    score: str | float | None = Field(default=None, alias="security-severity")
    repository_digests: tuple[str, ...] | None = Field(default=None, alias="repoDigests")
    image_id: str | None = Field(default=None, alias="imageID")


class Configuration(Part):
    """A rule's default configuration (§3.50)."""

    level: Level | None = None


class Rule(Part):
    """A reporting descriptor (§3.49)."""

    id: str
    configuration: Configuration | None = Field(default=None, alias="defaultConfiguration")
    help: Message | None = None
    properties: Properties | None = None

    @property
    def score(self) -> str | float | None:
        """The property `security-severity`."""
        return self.properties.score if self.properties is not None else None


class ToolComponent(Part):
    """The tool's driver, or one of its extensions (§3.19)."""

    name: str = Field(min_length=1)
    version: str = ""
    semantic_version: str = Field(default="", alias="semanticVersion")
    rules: tuple[Rule, ...] | None = None

    @property
    def shown_version(self) -> str:
        """The version that it gives, in whichever form."""
        return self.version or self.semantic_version


class Tool(Part):
    """What made a run (§3.18)."""

    driver: ToolComponent
    extensions: tuple[ToolComponent, ...] | None = None


class ComponentReference(Part):
    """Which extension a rule is in (§3.54); without an index it is the driver."""

    index: int = -1


class RuleReference(Part):
    """Which rule a result is of (§3.52)."""

    id: str = ""
    index: int = -1
    component: ComponentReference | None = Field(default=None, alias="toolComponent")


class ArtifactLocation(Part):
    """Where a file is (§3.4)."""

    uri: str = ""


class Region(Part):
    """Which part of a file (§3.30)."""

    line: int | None = Field(default=None, alias="startLine")
    column: int | None = Field(default=None, alias="startColumn")

    @property
    def start(self) -> str:
        """`:line:column`, as far as they are given."""
        return "".join(f":{each}" for each in (self.line, self.column) if each is not None)


class PhysicalLocation(Part):
    """A part of a file (§3.29)."""

    artifact: ArtifactLocation | None = Field(default=None, alias="artifactLocation")
    region: Region | None = None


class Location(Part):
    """Where a result is (§3.28)."""

    physical: PhysicalLocation | None = Field(default=None, alias="physicalLocation")

    @property
    def place(self) -> str:
        """File, line and column, as far as they are given."""
        if self.physical is None or self.physical.artifact is None:
            return ""
        region = self.physical.region
        return self.physical.artifact.uri + (region.start if region is not None else "")


class Suppression(Part):
    """Why a result does not count (§3.35); in force unless under review or rejected."""

    status: Literal["accepted", "underReview", "rejected"] | None = None


class Result(Part):
    """One result (§3.27)."""

    rule_id: str = Field(default="", alias="ruleId")
    rule_index: int = Field(default=-1, alias="ruleIndex")
    rule: RuleReference | None = None
    kind: Literal["pass", "open", "informational", "notApplicable", "review", "fail"] = "fail"
    level: Level | None = None
    message: Message = Field(default_factory=Message)
    locations: tuple[Location, ...] | None = None
    suppressions: tuple[Suppression, ...] | None = None
    baseline: Literal["new", "unchanged", "updated", "absent"] | None = Field(
        default=None, alias="baselineState"
    )
    # Whether there are any is all that matters.
    fixes: tuple[Any, ...] | None = None
    properties: Properties | None = None

    @property
    def given_id(self) -> str:
        """The rule's id as the result itself gives it; may be empty."""
        return self.rule_id or (self.rule.id if self.rule is not None else "")

    @property
    def first_place(self) -> str:
        """The first location's file and line; empty when there is none."""
        return next((found.place for found in self.locations or () if found.place), "")

    @property
    def is_suppressed(self) -> bool:
        """Whether each suppression is in force; false when there is none (§3.27.23)."""
        return bool(self.suppressions) and all(
            each.status in (None, "accepted") for each in self.suppressions or ()
        )

    @property
    def score(self) -> str | float | None:
        """The property `security-severity`, where a tool gives it to the result."""
        return self.properties.score if self.properties is not None else None


class Invocation(Part):
    """One run of the tool (§3.20)."""

    succeeded: bool = Field(default=True, alias="executionSuccessful")
    started_at: str = Field(default="", alias="startTimeUtc")
    ended_at: str = Field(default="", alias="endTimeUtc")


class Artifact(Part):
    """A file that a run is about (§3.24)."""

    roles: tuple[str, ...] | None = None
    hashes: dict[str, str] | None = None


class ExternalFiles(Part):
    """Where else parts of a run are kept (§3.15)."""

    results: tuple[Any, ...] | None = None


class Run(Part):
    """One run (§3.14)."""

    tool: Tool
    invocations: tuple[Invocation, ...] | None = None
    artifacts: tuple[Artifact, ...] | None = None
    results: tuple[Result, ...] | None = None
    external: ExternalFiles | None = Field(default=None, alias="externalPropertyFileReferences")
    properties: Properties | None = None

    def subjects(self) -> list[str]:
        """Texts with the digests of what was analysed."""
        texts = [
            f"sha256:{artifact.hashes.get('sha-256', '')}"
            for artifact in self.artifacts or ()
            if artifact.hashes is not None and "analysisTarget" in (artifact.roles or ())
        ]
        if self.properties is not None:
            texts += [*(self.properties.repository_digests or ()), self.properties.image_id or ""]
        return texts


class Log(Part):
    """A log file (§3.13)."""

    version: Literal["2.1.0"]
    runs: tuple[Run, ...] | None
