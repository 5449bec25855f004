"""Repository of the templates that were applied."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model import identity
from engine.model.template import Template
from engine.store.change import Change
from engine.store.database import Database
from engine.store.lookup import require_tenant
from engine.store.rows import TemplateRow
from engine.store.tables import TemplateRecord, TenantRecord
from engine.store.tenants import ensure_tenant


class TemplateRepository:
    """Templates by tenant, name and version. None is ever changed.

    The newest version of a name is the one that was applied last for the first time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, tenant: str, template: Template, *, at: datetime | None = None) -> Change:
        """Record `template` as it is written, includes not written out.

        Args:
            at: the moment to record; now by default.

        Raises:
            ConflictError: the same version is recorded with other contents.
            InputError: a value has no canonical JSON form.
        """
        digest = _digest(template)
        async with self._database.write() as session:
            tenant_id = await ensure_tenant(session, tenant, identity.tenant_id(tenant))
            # Whoever applies another version meanwhile waits here, so that each gets its own place.
            await session.get_one(TenantRecord, tenant_id, with_for_update=True)
            stored = await session.get(TemplateRecord, (tenant_id, template.name, template.version))
            if stored is not None:
                # Read by the model, so that a field which came later has its default there too.
                if Template.model_validate(stored.definition) == template:
                    return Change.UNCHANGED
                raise ConflictError(
                    "template",
                    f"{template.name}@{template.version} is applied already with other contents, "
                    "which promotions may be following",
                    "give the new contents a version of their own",
                )
            session.add(
                TemplateRecord(
                    tenant_id=tenant_id,
                    name=template.name,
                    version=template.version,
                    sequence=await _next_sequence(session, tenant_id, template.name),
                    digest=digest,
                    definition=template.model_dump(mode="json"),
                    applied_at=at or datetime.now(UTC),
                )
            )
            await session.flush()
        return Change.CREATED

    async def get(self, tenant: str, reference: str) -> TemplateRow:
        """The version that `name@version` names, or the newest one of a name.

        Raises:
            NotFoundError: there is no such tenant, template or version; the message lists what
                there is.
        """
        async with self._database.read() as session:
            tenant_id = await require_tenant(session, tenant)
            found = await session.scalar(_newest_first(tenant_id, reference).limit(1))
            if found is None:
                raise await _not_found(session, tenant_id, tenant, reference)
            return _row(found)

    async def find(self, tenant: str, references: Iterable[str]) -> builtins.list[Template]:
        """Those templates that the references name, the newest of a name last.

        What does not exist is left out, and so is everything of a tenant that does not.
        """
        async with self._database.read() as session:
            tenant_id = await session.scalar(
                select(TenantRecord.id).where(TenantRecord.name == tenant)
            )
            if tenant_id is None:
                return []
            found: dict[tuple[str, str], TemplateRecord] = {}
            for reference in dict.fromkeys(references):
                record = await session.scalar(_newest_first(tenant_id, reference).limit(1))
                if record is not None:
                    found[(record.name, record.version)] = record
            ordered = sorted(found.values(), key=lambda record: (record.name, record.sequence))
            return [Template.model_validate(record.definition) for record in ordered]

    async def references(self, tenant: str) -> builtins.list[str]:
        """`name@version` of all of the tenant's templates; none of a tenant that does not exist."""
        async with self._database.read() as session:
            found = await session.execute(
                select(TemplateRecord.name, TemplateRecord.version)
                .join(TenantRecord, TenantRecord.id == TemplateRecord.tenant_id)
                .where(TenantRecord.name == tenant)
                .order_by(TemplateRecord.name, TemplateRecord.sequence)
            )
            return [f"{name}@{version}" for name, version in found]

    async def list(self, tenant: str) -> builtins.list[TemplateRow]:
        """The tenant's templates by name, all versions of each, the newest first.

        Raises:
            NotFoundError: there is no such tenant.
        """
        async with self._database.read() as session:
            tenant_id = await require_tenant(session, tenant)
            found = await session.scalars(
                select(TemplateRecord)
                .where(TemplateRecord.tenant_id == tenant_id)
                .order_by(TemplateRecord.name, TemplateRecord.sequence.desc())
            )
            return [_row(record) for record in found]


def _newest_first(tenant_id: UUID, reference: str) -> Select[TemplateRecord]:
    name, at, version = reference.partition("@")
    conditions = [TemplateRecord.tenant_id == tenant_id, TemplateRecord.name == name]
    if at:
        conditions.append(TemplateRecord.version == version)
    return select(TemplateRecord).where(*conditions).order_by(TemplateRecord.sequence.desc())


async def _next_sequence(session: AsyncSession, tenant_id: UUID, name: str) -> int:
    last = await session.scalar(
        select(func.max(TemplateRecord.sequence)).where(
            TemplateRecord.tenant_id == tenant_id, TemplateRecord.name == name
        )
    )
    return (last or 0) + 1


async def _not_found(
    session: AsyncSession, tenant_id: UUID, tenant: str, reference: str
) -> NotFoundError:
    name, at, _ = reference.partition("@")
    known = await session.scalars(
        select(TemplateRecord.version if at else TemplateRecord.name)
        .where(
            TemplateRecord.tenant_id == tenant_id,
            *([TemplateRecord.name == name] if at else []),
        )
        .distinct()
    )
    listed = ", ".join(sorted(known)) or "none"
    return NotFoundError(
        "template",
        f"the tenant {tenant!r} has no template {reference!r}",
        f"it has{f' of {name}' if at else ''}: {listed}; make others with: promote apply -f FILE",
    )


def _digest(template: Template) -> str:
    try:
        return template.digest
    except ValueError as error:
        raise InputError(f"template.{template.name}", str(error), "correct that value") from error


def _row(record: TemplateRecord) -> TemplateRow:
    return TemplateRow(
        template=Template.model_validate(record.definition),
        sequence=record.sequence,
        digest=record.digest,
        applied_at=record.applied_at,
    )
