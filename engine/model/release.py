"""A release: a version and the components it consists of, each pinned by digest."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from engine.model.base import Digest, Document, Name, Value
from engine.model.canonical import digest_of

Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,127}$")]
"""A version as its makers write it (SemVer, CalVer, a commit)."""


class AttachmentFormat(StrEnum):
    """The document formats that a release's attachments may have."""

    TRIVY_JSON = "trivy-json"
    GRYPE_JSON = "grype-json"
    SARIF = "sarif"
    CYCLONEDX_JSON = "cyclonedx-json"
    OTHER = "other"


class Attachment(Value):
    """A document about a component: a scan report, an SBOM, a provenance.

    Its bytes are stored by digest when the release is registered, so that gates read what was
    registered and not what a path holds later.
    """

    name: str
    format: AttachmentFormat
    digest: Digest
    size: int = Field(ge=0, description="bytes")


class Component(Value):
    """One deployable artifact of a release.

    Attributes:
        artifact: where the bytes are: `file:`, `https:`, `http:` or `oci:`.
        digest: what the bytes are; an agent refuses any others.
    """

    name: Name
    artifact: str
    digest: Digest
    attachments: tuple[Attachment, ...] = ()


class Release(Value):
    """An immutable, registered release.

    Attributes:
        committers: people whose changes are in it, who may be kept from approving it.
    """

    id: UUID
    tenant_id: UUID
    name: Name
    version: Version
    components: tuple[Component, ...] = Field(min_length=1)
    committers: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """`name@version`, how people name it."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """Digest over name, version, committers, and what every component and attachment is.

        Not over where they are: the same bytes at another place are the same release.
        """
        return digest_of(
            {
                "name": self.name,
                "version": self.version,
                "components": [
                    component.model_dump(mode="json", exclude={"artifact"})
                    for component in self.components
                ],
                # Releases from before there were committers keep their digest.
                **({"committers": list(self.committers)} if self.committers else {}),
            }
        )


class AttachmentDocument(Document):
    """An attachment as written in a release file; `path` is relative to that file."""

    path: str
    format: AttachmentFormat


class ComponentDocument(Document):
    """A component as written in a release file.

    `artifact` is a URI, or a path relative to the file. `digest` may be left out for a local file
    (it is computed) and must be given for a remote one.
    """

    name: Name
    artifact: str
    digest: Digest | None = None
    attachments: tuple[AttachmentDocument, ...] = ()


class ReleaseDocument(Document):
    """A release file, as `promote release register -f` reads it."""

    tenant: Name = "default"
    name: Name
    version: Version
    committers: tuple[Annotated[str, StringConstraints(pattern=r"\S")], ...] = ()
    components: tuple[ComponentDocument, ...] = Field(min_length=1)
