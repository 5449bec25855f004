"""The activity that finds what a promotion which tries another again need not do."""

from __future__ import annotations

from datetime import datetime

from temporalio import activity

from engine.errors import ConflictError, InputError, NotFoundError
from engine.model.base import Value
from engine.model.execution import StepResult
from engine.model.promotion import PromotionSnapshot, PromotionStatus, RetryOf
from engine.store.rows import PromotionRow
from engine.store.store import Store
from engine.templates.resumption import taken_over

_TRIED_AGAIN = (PromotionStatus.FAILED, PromotionStatus.ERRORED, PromotionStatus.CANCELLED)
_ANEW = "start a new promotion"


class TakenOver(Value):
    """Steps that are not run again, in the order of their ends."""

    steps: tuple[StepResult, ...]


class ResumptionActivities:
    """Activities over the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn(name="execution.take_over")
    async def take_over(self, promotion: PromotionSnapshot) -> TakenOver:
        """The steps of the promotion that `promotion` tries again, with the environment its own.

        Raises:
            InputError, ConflictError: they do not hold any more; see `resumed`.
        """
        if promotion.retry is None:
            return TakenOver(steps=())
        return TakenOver(steps=await resumed(self._store, promotion, promotion.retry))


async def resumed(
    store: Store, promotion: PromotionSnapshot, retry: RetryOf
) -> tuple[StepResult, ...]:
    """The steps that `promotion` takes over from the one that it tries again.

    Raises:
        NotFoundError: there is no such promotion in its tenant.
        InputError: it is one that cannot be tried again, or has no such node.
        ConflictError: what it has done may not hold any more: release, template, environment or
            parameters differ, or another promotion has been there since.
    """
    before = await store.promotions.get(retry.promotion)
    if before.snapshot.tenant_id != promotion.tenant_id:
        problem = f"there is no promotion {retry.promotion}"
        raise NotFoundError("retry", problem, "see: promote list")
    if before.status not in _TRIED_AGAIN:
        problem = f"promotion {retry.promotion} is {before.status}"
        raise InputError("retry", problem, "name one that has failed")
    template = promotion.environment.template
    if retry.node and retry.node not in {node.id for node in template.nodes}:
        known = ", ".join(node.id for node in template.nodes)
        raise InputError("retry.node", f"no node is called {retry.node!r}", f"nodes: {known}")
    await _check_that_all_is_the_same(store, promotion, before)
    other = await store.executions.run_after(retry.promotion, promotion.environment.id)
    if other not in (None, promotion.promotion_id):
        raise ConflictError(
            "retry",
            f"promotion {other} has been in {promotion.environment.name!r} since "
            f"{retry.promotion} was there",
            _ANEW,
        )
    steps = await store.executions.steps(retry.promotion)
    return taken_over(template, steps, retry.node, retry.promotion, promotion.promotion_id)


async def _check_that_all_is_the_same(
    store: Store, promotion: PromotionSnapshot, before: PromotionRow
) -> None:
    earlier = before.snapshot
    differs = None
    if earlier.release.digest != promotion.release.digest:
        differs = "release"
    elif earlier.environment.template.digest != promotion.environment.template.digest:
        differs = "template"
    elif earlier.environment.id != promotion.environment.id or await _has_changed(
        store, promotion, earlier.requested_at
    ):
        differs = "environment"
    elif earlier.parameters != promotion.parameters:
        differs = "parameters"
    if differs is not None:
        problem = f"the {differs} differs from that of promotion {earlier.promotion_id}"
        raise ConflictError("retry", problem, _ANEW)


async def _has_changed(store: Store, promotion: PromotionSnapshot, since: datetime) -> bool:
    revisions = await store.environments.revisions(promotion.tenant, promotion.environment.name)
    return any(revision.applied_at > since for revision in revisions)
