"""Tables of releases, their components, and the documents attached to them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from engine.model.release import AttachmentFormat
from engine.store.base import Base


class AttachmentRecord(Base):
    """The bytes of a document, stored once however many releases have it."""

    __tablename__ = "attachments"

    digest: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes]


class ReleaseRecord(Base):
    """A registered release; never changed."""

    __tablename__ = "releases"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name", "version"),
        Index(None, "tenant_id", "registered_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str]
    version: Mapped[str]
    digest: Mapped[str]
    registered_at: Mapped[datetime]

    components: Mapped[list[ComponentRecord]] = relationship(
        order_by="ComponentRecord.position", lazy="raise"
    )


class ComponentRecord(Base):
    """A component of a release, at its place in the release's order."""

    __tablename__ = "components"
    __table_args__ = (UniqueConstraint("release_id", "name"),)

    release_id: Mapped[UUID] = mapped_column(ForeignKey("releases.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    artifact: Mapped[str]
    digest: Mapped[str]

    attachments: Mapped[list[ComponentAttachmentRecord]] = relationship(
        order_by="ComponentAttachmentRecord.position", lazy="raise"
    )


class ComponentAttachmentRecord(Base):
    """That a document is attached to a component, under a name and in a format."""

    __tablename__ = "component_attachments"
    __table_args__ = (
        ForeignKeyConstraint(
            ["release_id", "component_position"],
            ["components.release_id", "components.position"],
            name="fk_component_attachments_components",
        ),
    )

    release_id: Mapped[UUID] = mapped_column(primary_key=True)
    component_position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    format: Mapped[AttachmentFormat]
    digest: Mapped[str] = mapped_column(ForeignKey("attachments.digest"), index=True)

    attachment: Mapped[AttachmentRecord] = relationship(lazy="raise")
