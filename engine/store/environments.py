"""Repository of environments, their revisions and their targets."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from engine.errors import InputError
from engine.model.environment import Environment, EnvironmentDefinition, Target
from engine.store.change import Change
from engine.store.database import Database
from engine.store.lookup import require_environment, require_tenant
from engine.store.rows import RevisionRow
from engine.store.tables import (
    AgentRecord,
    EnvironmentRecord,
    EnvironmentRevisionRecord,
    TargetRecord,
)
from engine.store.tenants import ensure_tenant
from engine.store.upsert import add_if_missing, add_missing, upsert


class EnvironmentRepository:
    """Environments by tenant and name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(
        self, definition: EnvironmentDefinition, *, at: datetime | None = None
    ) -> Change:
        """Make `definition` the environment's, as a new revision when it differs from the last.

        Tenant and agents are recorded as needed. Targets that are gone are kept for the tasks that
        refer to them, and are targets no more.

        Args:
            at: the moment to record for the revision; now by default.

        Raises:
            InputError: two targets have one name, or a value has no canonical JSON form.
        """
        environment, digest = definition.environment, _digest(definition)
        _require_distinct(definition.targets)
        async with self._database.write() as session:
            tenant = await ensure_tenant(session, definition.tenant, environment.tenant_id)
            row = {
                "id": environment.id,
                "tenant_id": tenant,
                "name": environment.name,
                "position": environment.order,
                "revision": 1,
                "digest": digest,
                "definition": environment.model_dump(mode="json"),
            }
            if await add_if_missing(session, EnvironmentRecord, row):
                change = Change.CREATED
            else:
                # Whoever applies to the same environment meanwhile waits for this row.
                stored = await session.get_one(
                    EnvironmentRecord, environment.id, with_for_update=True
                )
                if stored.digest == digest:
                    return Change.UNCHANGED
                row["revision"] = stored.revision + 1
                await upsert(session, EnvironmentRecord, [row])
                change = Change.CHANGED
            await _add_revision(session, definition, row, at or datetime.now(UTC))
            await _replace_targets(session, definition, row)
        return change

    async def get(self, tenant: str, name: str) -> EnvironmentDefinition:
        """The environment called `name`.

        Raises:
            NotFoundError: there is no such tenant, or it has no such environment; the message
                lists those that it has.
        """
        async with self._database.read() as session:
            environment = await require_environment(session, tenant, name)
            targets = await _targets(session, _targets_of(environment.id))
        return _definition(tenant, environment, targets.get(environment.id, ()))

    async def targets(self, environment_id: UUID) -> tuple[Target, ...]:
        """The environment's targets in their order; none when there is no such environment."""
        async with self._database.read() as session:
            found = await _targets(session, _targets_of(environment_id))
        return found.get(environment_id, ())

    async def following(self, tenant_id: UUID, name: str) -> tuple[Environment, ...]:
        """The tenant's environments that promote by rule what has succeeded in `name`."""
        async with self._database.read() as session:
            found = await session.scalars(
                select(EnvironmentRecord.definition)
                .where(EnvironmentRecord.tenant_id == tenant_id)
                .order_by(EnvironmentRecord.position, EnvironmentRecord.name)
            )
            environments = [Environment.model_validate(definition) for definition in found]
        return tuple(each for each in environments if each.auto and each.auto.after == name)

    async def revisions(self, tenant: str, name: str) -> tuple[RevisionRow, ...]:
        """All definitions that the environment had, oldest first; the last one is in force.

        Raises:
            NotFoundError: as for `get`.
        """
        async with self._database.read() as session:
            environment = await require_environment(session, tenant, name)
            found = await session.scalars(
                select(EnvironmentRevisionRecord)
                .where(EnvironmentRevisionRecord.environment_id == environment.id)
                .order_by(EnvironmentRevisionRecord.revision)
            )
            return tuple(
                RevisionRow(
                    number=revision.revision,
                    digest=revision.digest,
                    definition=EnvironmentDefinition.model_validate(revision.definition),
                    applied_at=revision.applied_at,
                )
                for revision in found
            )

    async def list(self, tenant: str) -> builtins.list[EnvironmentDefinition]:
        """The tenant's environments by their order and name.

        Raises:
            NotFoundError: there is no such tenant.
        """
        async with self._database.read() as session:
            tenant_id = await require_tenant(session, tenant)
            of_tenant = EnvironmentRecord.tenant_id == tenant_id
            environments = await session.scalars(
                select(EnvironmentRecord)
                .where(of_tenant)
                .order_by(EnvironmentRecord.position, EnvironmentRecord.name)
            )
            targets = await _targets(
                session,
                _all_targets()
                .join(EnvironmentRecord, EnvironmentRecord.id == TargetRecord.environment_id)
                .where(of_tenant),
            )
        return [
            _definition(tenant, environment, targets.get(environment.id, ()))
            for environment in environments
        ]


def _digest(definition: EnvironmentDefinition) -> str:
    try:
        return definition.digest
    except ValueError as error:
        raise InputError(f"environments.{definition.environment.name}", str(error)) from error


def _require_distinct(targets: Sequence[Target]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target.name in seen:
            raise InputError("targets", f"the name {target.name!r} is given twice", "rename one")
        seen.add(target.name)


async def _add_revision(
    session: AsyncSession, definition: EnvironmentDefinition, row: dict[str, Any], at: datetime
) -> None:
    session.add(
        EnvironmentRevisionRecord(
            environment_id=row["id"],
            revision=row["revision"],
            digest=row["digest"],
            definition=definition.model_dump(mode="json"),
            applied_at=at,
        )
    )
    await session.flush()


async def _replace_targets(
    session: AsyncSession, definition: EnvironmentDefinition, row: dict[str, Any]
) -> None:
    agents = {target.agent_id: target.agent for target in definition.targets}
    await add_missing(
        session,
        AgentRecord,
        [
            {"id": agent_id, "tenant_id": row["tenant_id"], "name": name}
            for agent_id, name in agents.items()
        ],
    )
    await session.execute(
        update(TargetRecord)
        .where(TargetRecord.environment_id == row["id"], TargetRecord.removed_in.is_(None))
        .values(removed_in=row["revision"])
    )
    await upsert(
        session,
        TargetRecord,
        [
            {
                **target.model_dump(mode="json", exclude={"id", "agent", "agent_id"}),
                "id": target.id,
                "environment_id": row["id"],
                "agent_id": target.agent_id,
                "position": position,
                "removed_in": None,
            }
            for position, target in enumerate(definition.targets)
        ],
    )


def _all_targets() -> Select[TargetRecord, str]:
    return (
        select(TargetRecord, AgentRecord.name)
        .join(AgentRecord, AgentRecord.id == TargetRecord.agent_id)
        .where(TargetRecord.removed_in.is_(None))
        .order_by(TargetRecord.environment_id, TargetRecord.position)
    )


def _targets_of(environment_id: UUID) -> Select[TargetRecord, str]:
    return _all_targets().where(TargetRecord.environment_id == environment_id)


async def _targets(
    session: AsyncSession, query: Select[TargetRecord, str]
) -> dict[UUID, tuple[Target, ...]]:
    """The targets that `query` selects, by environment."""
    found: dict[UUID, builtins.list[Target]] = {}
    for record, agent in await session.execute(query):
        found.setdefault(record.environment_id, []).append(
            Target(
                id=record.id,
                name=record.name,
                agent=agent,
                agent_id=record.agent_id,
                driver=record.driver,
                component=record.component,
                labels=record.labels,
                config=record.config,
            )
        )
    return {environment: tuple(targets) for environment, targets in found.items()}


def _definition(
    tenant: str, environment: EnvironmentRecord, targets: tuple[Target, ...]
) -> EnvironmentDefinition:
    return EnvironmentDefinition(
        tenant=tenant,
        environment=Environment.model_validate(environment.definition),
        targets=targets,
    )
