"""Activities about the promotion itself: resolve the request, record what becomes of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity

from activities.contract import GateRecord, Resolution, ResolveInput, StatusRecord, VoteRecord
from activities.resumption import resumed
from activities.runs import current_run, reset_run
from activities.templates import with_template
from engine.errors import InputError
from engine.gates.overriding import check as check_overrides
from engine.gates.registry import check as check_gate
from engine.model import identity
from engine.model.environment import EnvironmentDefinition
from engine.model.lineage import Lineage, RelatedPromotion
from engine.model.promotion import PromotionSnapshot
from engine.model.release import Release
from engine.store.promotions import Reset
from engine.store.store import Store
from engine.telemetry.sampling import default_rate, is_sampled


class PromotionActivities:
    """Activities over the store.

    Args:
        settle_after: how long after its end a promotion's trace is settled; None where nothing is
            exported.
    """

    def __init__(self, store: Store, settle_after: timedelta | None = None) -> None:
        self._store = store
        self._settle_after = settle_after

    @activity.defn(name="promotion.resolve")
    async def resolve(self, given: ResolveInput) -> Resolution:
        """Look up the release and the environment, fix both for the promotion, and record it.

        Raises:
            NotFoundError: there is no such release, environment, tenant or template.
            InputError: they do not fit together.
        """
        request = given.request
        definition = await self._store.environments.get(request.tenant, request.environment)
        release = await self._store.releases.get(request.tenant, request.release)
        # In a thread, since plugins may have to be asked what they take.
        await asyncio.to_thread(_check_fit, definition, release)
        environment, parameters = await with_template(self._store, definition, request)
        check_overrides(environment, request.overrides, request.requested_by)
        if request.rollback and not await self._store.lineage.comes_back(release, environment):
            raise _no_rollback(release, environment.name)
        snapshot = PromotionSnapshot(
            promotion_id=given.promotion_id,
            workflow_id=given.workflow_id,
            tenant=definition.tenant,
            tenant_id=environment.tenant_id,
            release=release,
            environment=environment,
            target_count=len(definition.targets),
            requested_by=request.requested_by,
            user_id=identity.user_id(environment.tenant_id, request.requested_by),
            reason=request.reason,
            parameters=parameters,
            is_rollback=request.rollback,
            retry=request.retry,
            requested_at=given.requested_at,
        )
        if request.retry is not None:
            # Looked at again when the environment is the promotion's own.
            await resumed(self._store, snapshot, request.retry)
        run = reset_run(given.run_id)
        await self._store.promotions.open(
            snapshot,
            given.workflow_id,
            given.run_id,
            given.trace_id,
            reset=None if run is None else Reset(run, given.at),
        )
        rate = environment.sampling
        if rate is None:
            rate = default_rate(environment.name)
        return Resolution(
            promotion=snapshot,
            sampled=is_sampled(given.trace_id, given.caller, rate),
            settle_after=self._settle_after,
            # Looked up once the promotion is on record: whoever sets a freeze after this finds it.
            has_freezes=any(
                each.end is None or each.end > given.at
                for each in await self._store.freezes.of(environment.tenant_id, environment.name)
            ),
            lineage=await self._lineage(snapshot),
        )

    async def _lineage(self, promotion: PromotionSnapshot) -> Lineage:
        found = await self._store.lineage.of(promotion.release, promotion.environment)
        if promotion.retry is None:
            return found
        before = await self._store.promotions.get(promotion.retry.promotion)
        related = RelatedPromotion(
            promotion_id=before.id,
            release_id=before.snapshot.release.id,
            environment=before.snapshot.environment.name,
            trace_id=before.trace_id,
        )
        return found.model_copy(update={"retried": related})

    @activity.defn(name="promotion.record_status")
    async def record_status(self, record: StatusRecord) -> None:
        """Keep the promotion's status, and that its trace is to be settled."""
        if record.unsettled is not None:
            await self._store.traces.owe(record.unsettled)
        await self._store.promotions.record_status(
            record.promotion_id,
            record.status,
            record.decision,
            at=record.at,
            failure=record.failure,
            superseded_by=record.superseded_by,
            run_id=current_run(),
        )

    @activity.defn(name="promotion.record_gate")
    async def record_gate(self, record: GateRecord) -> None:
        """Keep a gate's result."""
        await self._store.promotions.record_gate(record.promotion_id, record.result)

    @activity.defn(name="promotion.record_vote")
    async def record_vote(self, record: VoteRecord) -> None:
        """Keep a vote."""
        await self._store.promotions.record_vote(record.promotion_id, record.vote)


MAX_TARGETS = 500
"""Of one deployment: the assignment of all tasks has to fit into one payload of Temporal's."""


def _no_rollback(release: Release, environment: str) -> InputError:
    return InputError(
        "rollback",
        f"{release.ref} is none that {environment!r} had before the release that it has now",
        "roll back to one that had succeeded there earlier, or promote this one as usual",
    )


def _check_fit(definition: EnvironmentDefinition, release: Release) -> None:
    if len(definition.targets) > MAX_TARGETS:
        raise InputError(
            "environment",
            f"{definition.environment.name!r} has {len(definition.targets)} targets, and one "
            f"deployment takes {MAX_TARGETS}",
            "split it into several environments",
        )
    for gate in definition.environment.gates:
        # A plugin's gate that was installed when the environment was applied may be gone here.
        check_gate(gate, definition.environment.groups)
    components = {component.name for component in release.components}
    for target in definition.targets:
        if target.component is None and len(components) > 1:
            raise InputError(
                "release",
                f"{release.ref} has {len(components)} components and target {target.name!r} of "
                f"{definition.environment.name!r} does not say which one it runs",
                "set `component:` on the target",
            )
        if target.component is not None and target.component not in components:
            raise InputError(
                "release",
                f"{release.ref} has no component {target.component!r}, which target "
                f"{target.name!r} of {definition.environment.name!r} runs",
                f"it has {', '.join(sorted(components))}",
            )
