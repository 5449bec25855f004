"""Finding what was named, or saying what there is instead."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from engine.errors import NotFoundError
from engine.store.tables import EnvironmentRecord, TenantRecord


async def require_tenant(session: AsyncSession, name: str) -> UUID:
    """The id of the tenant `name`.

    Raises:
        NotFoundError: there is none. The message names no other tenant: each sees its own only.
    """
    found = await session.scalar(select(TenantRecord.id).where(TenantRecord.name == name))
    if found is None:
        raise NotFoundError(
            "tenant", f"there is no tenant {name!r}", "make it with: promote apply -f FILE"
        )
    return found


async def require_environment(session: AsyncSession, tenant: str, name: str) -> EnvironmentRecord:
    """The environment `name` of the tenant `tenant`.

    Raises:
        NotFoundError: there is no such tenant, or it has no such environment; then the message
            lists those that it has.
    """
    tenant_id = await require_tenant(session, tenant)
    found = await session.scalar(
        select(EnvironmentRecord).where(
            EnvironmentRecord.tenant_id == tenant_id, EnvironmentRecord.name == name
        )
    )
    if found is not None:
        return found
    names = await session.scalars(
        select(EnvironmentRecord.name)
        .where(EnvironmentRecord.tenant_id == tenant_id)
        .order_by(EnvironmentRecord.position, EnvironmentRecord.name)
    )
    known = ", ".join(names) or "none"
    raise NotFoundError(
        "environment",
        f"the tenant {tenant!r} has no environment {name!r}",
        f"it has: {known}; make others with: promote apply -f FILE",
    )
