"""Repository of releases and the documents attached to them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model.canonical import digest_of_bytes
from engine.model.release import Attachment, Component, Release
from engine.store.change import Change
from engine.store.database import Database
from engine.store.lookup import require_tenant
from engine.store.paging import check_page
from engine.store.tables import (
    AttachmentRecord,
    ComponentAttachmentRecord,
    ComponentRecord,
    ReleaseRecord,
)
from engine.store.tenants import ensure_tenant
from engine.store.upsert import add_if_missing, add_missing


class ReleaseRepository:
    """Releases by tenant, name and version. None is ever changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(
        self,
        tenant: str,
        release: Release,
        attachments: Mapping[str, bytes],
        *,
        at: datetime | None = None,
    ) -> Change:
        """Record `release` with the bytes of its attachments.

        Args:
            attachments: the bytes of each attachment, by digest. They are needed also when another
                release has brought them: a digest alone gives nobody access to them.
            at: the moment to record; now by default.

        Raises:
            ConflictError: the same name and version is registered with other contents.
            InputError: an attachment's bytes are missing or have another digest or size, or two
                components have one name.
        """
        _check_components(release)
        _check_attachments(release, attachments)
        digest = release.digest
        async with self._database.write() as session:
            row = {
                "id": release.id,
                "tenant_id": await ensure_tenant(session, tenant, release.tenant_id),
                "name": release.name,
                "version": release.version,
                "digest": digest,
                "registered_at": at or datetime.now(UTC),
            }
            if not await add_if_missing(session, ReleaseRecord, row):
                stored = await session.get_one(ReleaseRecord, release.id)
                if stored.digest == digest:
                    return Change.UNCHANGED
                raise ConflictError(
                    "release",
                    f"{release.ref} is registered with other contents",
                    "give the new contents a version of their own",
                )
            await _add_attachments(session, release, attachments)
            await _add_components(session, release)
        return Change.CREATED

    async def get(self, tenant: str, ref: str) -> Release:
        """The release that `ref` names: `name@version`, or its id.

        Raises:
            InputError: `ref` is neither.
            NotFoundError: there is no such release in this tenant, or no such tenant.
        """
        async with self._database.read() as session:
            tenant_id = await require_tenant(session, tenant)
            found = await session.scalar(_whole_releases(tenant_id).where(*_matching(ref)))
        if found is None:
            raise NotFoundError(
                "release",
                f"the tenant {tenant!r} has no release {ref!r}",
                "register it with: promote release register -f FILE",
            )
        return _release(found)

    async def attachment(self, digest: str) -> bytes:
        """The bytes of the document with this digest.

        Raises:
            NotFoundError: none is stored under it.
            ConflictError: what is stored under it has been altered.
        """
        async with self._database.read() as session:
            content = await session.scalar(
                select(AttachmentRecord.content).where(AttachmentRecord.digest == digest)
            )
        if content is None:
            raise NotFoundError("attachment", f"no document {digest} is stored")
        if digest_of_bytes(content) != digest:
            raise ConflictError(
                "attachment",
                f"what is stored as {digest} is {digest_of_bytes(content)}",
                "restore the database from a backup",
            )
        return content

    async def list(self, tenant: str, limit: int = 100, offset: int = 0) -> builtins.list[Release]:
        """The tenant's releases, newest first.

        Raises:
            NotFoundError: there is no such tenant.
            InputError: `limit` or `offset` cannot be used.
        """
        check_page(limit, offset)
        async with self._database.read() as session:
            tenant_id = await require_tenant(session, tenant)
            found = await session.scalars(
                _whole_releases(tenant_id)
                .order_by(ReleaseRecord.registered_at.desc(), ReleaseRecord.id)
                .limit(limit)
                .offset(offset)
            )
            return [_release(record) for record in found]


def _check_components(release: Release) -> None:
    seen: set[str] = set()
    for component in release.components:
        if component.name in seen:
            raise InputError(
                "components", f"the name {component.name!r} is given twice", "rename one"
            )
        seen.add(component.name)


def _check_attachments(release: Release, contents: Mapping[str, bytes]) -> None:
    for component in release.components:
        for attachment in component.attachments:
            content = contents.get(attachment.digest)
            if content is None:
                problem = f"the bytes of {attachment.name!r} ({attachment.digest}) are not given"
            elif digest_of_bytes(content) != attachment.digest:
                problem = f"{attachment.name!r} is {digest_of_bytes(content)} by its bytes"
            elif len(content) != attachment.size:
                problem = f"{attachment.name!r} has {len(content)} bytes, not {attachment.size}"
            else:
                continue
            raise InputError(f"components.{component.name}.attachments", problem)


async def _add_attachments(
    session: AsyncSession, release: Release, contents: Mapping[str, bytes]
) -> None:
    digests = {
        attachment.digest
        for component in release.components
        for attachment in component.attachments
    }
    await add_missing(
        session,
        AttachmentRecord,
        [
            {"digest": digest, "size": len(contents[digest]), "content": contents[digest]}
            for digest in digests
        ],
    )


async def _add_components(session: AsyncSession, release: Release) -> None:
    session.add_all(
        ComponentRecord(
            release_id=release.id,
            position=position,
            name=component.name,
            artifact=component.artifact,
            digest=component.digest,
            attachments=[
                ComponentAttachmentRecord(
                    position=place,
                    name=attachment.name,
                    format=attachment.format,
                    digest=attachment.digest,
                )
                for place, attachment in enumerate(component.attachments)
            ],
        )
        for position, component in enumerate(release.components)
    )
    await session.flush()


def _whole_releases(tenant_id: UUID) -> Select[ReleaseRecord]:
    """The tenant's releases with all that belongs to them but the documents' bytes."""
    sizes = joinedload(ComponentAttachmentRecord.attachment).load_only(AttachmentRecord.size)
    return (
        select(ReleaseRecord)
        .where(ReleaseRecord.tenant_id == tenant_id)
        .options(
            selectinload(ReleaseRecord.components)
            .selectinload(ComponentRecord.attachments)
            .options(sizes)
        )
    )


def _matching(ref: str) -> tuple[ColumnElement[bool], ...]:
    name, at, version = ref.partition("@")
    if at and name and version:
        return ReleaseRecord.name == name, ReleaseRecord.version == version
    try:
        return (ReleaseRecord.id == UUID(ref),)
    except ValueError as error:
        raise InputError(
            "release", f"{ref!r} names no release", "write NAME@VERSION, or the release's id"
        ) from error


def _release(record: ReleaseRecord) -> Release:
    return Release(
        id=record.id,
        tenant_id=record.tenant_id,
        name=record.name,
        version=record.version,
        components=tuple(
            Component(
                name=component.name,
                artifact=component.artifact,
                digest=component.digest,
                attachments=tuple(
                    Attachment(
                        name=attached.name,
                        format=attached.format,
                        digest=attached.digest,
                        size=attached.attachment.size,
                    )
                    for attached in component.attachments
                ),
            )
            for component in record.components
        ),
    )
