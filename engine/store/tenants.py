"""Tenants come into being with the first thing that is theirs."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from engine.errors import InputError
from engine.model import identity
from engine.store.tables import TenantRecord
from engine.store.upsert import add_if_missing


async def ensure_tenant(session: AsyncSession, name: str, expected: UUID) -> UUID:
    """Record the tenant `name` if it is new, and return its id.

    Raises:
        InputError: what is to be written belongs to another tenant than `name`.
    """
    tenant = identity.tenant_id(name)
    if tenant != expected:
        raise InputError("tenant_id", f"{expected} is not the id of the tenant {name!r} ({tenant})")
    await add_if_missing(session, TenantRecord, {"id": tenant, "name": name})
    return tenant
