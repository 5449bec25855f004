"""Activities of promotion by rule: offer what succeeded, consider it, start it, hold it back."""

from __future__ import annotations

from uuid import UUID

from temporalio import activity
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from engine.config import TASK_QUEUE
from engine.errors import NotFoundError
from engine.model import identity
from engine.model.auto_promotion import (
    REQUESTED_BY,
    AutoPromotionState,
    Candidate,
    Consideration,
    Hold,
    NextStep,
    auto_promotion_workflow_id,
)
from engine.model.base import Timestamp, Value
from engine.model.promotion import PromotionRequest
from engine.policy.auto_promotion import consider
from engine.store.store import Store

AUTO_PROMOTION_WORKFLOW = "environment.auto_promotion"


class Succeeded(Value):
    """A promotion that has just succeeded."""

    tenant: str
    tenant_id: UUID
    environment: str
    promotion_id: UUID
    release_id: UUID
    release: str


class CandidateAt(Value):
    """A candidate of an environment at a moment."""

    tenant: str
    environment: str
    candidate: Candidate
    now: Timestamp


class StartByRule(Value):
    """A candidate that is to be promoted now, and why."""

    tenant: str
    environment: str
    candidate: Candidate
    reason: str


class HoldBack(Value):
    """A promotion that took a release back, so that nothing is promoted by itself any more."""

    environment_id: UUID
    promotion_id: UUID
    reason: str
    held_by: str
    at: Timestamp


class AutoPromotionActivities:
    """Activities over the store and Temporal."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn(name="auto_promotion.offer")
    async def offer(self, succeeded: Succeeded) -> None:
        """Make the release a candidate of every environment that follows the one it is in now.

        Offering it again changes nothing.
        """
        followers = await self._store.environments.following(
            succeeded.tenant_id, succeeded.environment
        )
        if not followers:
            return
        standing = await self._store.standings.of(
            succeeded.tenant_id, succeeded.release_id, succeeded.environment
        )
        if standing.promotion_id != succeeded.promotion_id or standing.succeeded_at is None:
            return
        candidate = Candidate(
            promotion_id=succeeded.promotion_id,
            release_id=succeeded.release_id,
            release=succeeded.release,
            succeeded_in=succeeded.environment,
            succeeded_at=standing.succeeded_at,
        )
        for follower in followers:
            await activity.client().start_workflow(
                AUTO_PROMOTION_WORKFLOW,
                AutoPromotionState(tenant=succeeded.tenant, environment=follower.name),
                id=auto_promotion_workflow_id(succeeded.tenant, follower.name),
                task_queue=TASK_QUEUE,
                start_signal="offer",
                start_signal_args=[candidate],
                static_summary=f"what is promoted to {follower.name} by itself",
            )

    @activity.defn(name="auto_promotion.consider")
    async def consider(self, given: CandidateAt) -> Consideration:
        """What becomes of a candidate, by the rules and the record as they are now."""
        candidate = given.candidate
        try:
            definition = await self._store.environments.get(given.tenant, given.environment)
            environment = definition.environment
            before, here = [
                await self._store.standings.of(environment.tenant_id, candidate.release_id, name)
                for name in (candidate.succeeded_in, environment.name)
            ]
        except NotFoundError as error:
            return Consideration(step=NextStep.DROP, reason=str(error))
        holds = await self._store.holds.of(environment.id)
        return consider(environment, candidate, before, here, holds, given.now)

    @activity.defn(name="auto_promotion.start")
    async def start(self, given: StartByRule) -> UUID:
        """Start the candidate's promotion, once however often it is asked, and return its id."""
        environment = identity.environment_id(identity.tenant_id(given.tenant), given.environment)
        promotion = identity.auto_promotion_id(environment, given.candidate.promotion_id)
        request = PromotionRequest(
            release=given.candidate.release,
            environment=given.environment,
            tenant=given.tenant,
            requested_by=REQUESTED_BY,
            reason=given.reason,
        )
        try:
            await activity.client().start_workflow(
                "promotion.request",
                request.model_dump(mode="json"),
                id=f"promotion/{promotion}",
                task_queue=TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"{request.release} to {request.environment} ({request.tenant})",
            )
        except WorkflowAlreadyStartedError:
            # An attempt before this one started it, and it has ended since.
            activity.logger.info("promotion %s was started before", promotion)
        return promotion

    @activity.defn(name="auto_promotion.hold")
    async def hold(self, given: HoldBack) -> None:
        """Hold an environment back because of a promotion, once; what was lifted stays lifted."""
        await self._store.holds.add(
            Hold(
                id=identity.hold_id(given.environment_id, given.promotion_id),
                environment_id=given.environment_id,
                promotion_id=given.promotion_id,
                reason=given.reason,
                held_by=given.held_by,
                held_at=given.at,
            )
        )
