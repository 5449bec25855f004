"""`environment.lock`: one promotion at a time deploys to an environment, in order of request."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from uuid import UUID

    from activities.environment_lock import LockEnvironment, is_holder_alive, request_lock
    from engine.model.lock import LockRequest, LockState, lock_workflow_id
    from engine.model.promotion import PromotionSnapshot
    from workflows.options import SHORT

WATCH_INTERVAL = timedelta(seconds=10)
"""How often a holder is looked at while others wait, in case that it died without a word."""


@workflow.defn(name="environment.lock")
class EnvironmentLockWorkflow:
    """Grants the environment to one promotion after the other, and ends when nobody wants it.

    A promotion asks by the signal `request`, is told by its own signal `lock_granted`, and gives
    the lock back by `release`. A holder that no longer runs gives it back by being gone.
    """

    @workflow.init
    def __init__(self, state: LockState | None = None) -> None:
        self._holder = None if state is None else state.holder
        self._queue = [] if state is None else list(state.queue)
        self._show()

    @workflow.run
    async def run(self, state: LockState | None = None) -> None:
        """Hand the lock around until nobody holds or wants it.

        Args:
            state: where the run before stopped, when it was continued as new.
        """
        while True:
            if self._holder is None and not await self._grant_next():
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self.state())
            await self._look_after_holder()

    @workflow.signal
    def request(self, wanted: LockRequest) -> None:
        """Queue a promotion; asking twice is asking once."""
        # A workflow id that is used again means that its earlier promotion is gone.
        if self._holder is not None and _replaces(wanted, self._holder):
            self._holder = None
        self._queue = [one for one in self._queue if not _replaces(wanted, one)]
        known = [self._holder, *self._queue] if self._holder is not None else self._queue
        if all(one.promotion_id != wanted.promotion_id for one in known if one is not None):
            self._queue.append(wanted)
            self._show()

    @workflow.signal
    def release(self, promotion_id: UUID) -> None:
        """Give the lock back, or leave the queue."""
        if self._holder is not None and self._holder.promotion_id == promotion_id:
            self._holder = None
        self._queue = [one for one in self._queue if one.promotion_id != promotion_id]
        self._show()

    @workflow.query
    def state(self) -> LockState:
        """Who holds the lock, and who waits for it."""
        return LockState(holder=self._holder, queue=tuple(self._queue))

    async def _grant_next(self) -> bool:
        """Grant the lock to the first in the queue that still runs; False when there is none."""
        while self._queue:
            self._holder = self._queue.pop(0)
            self._show()
            granted_to = self._holder
            try:
                await workflow.get_external_workflow_handle(granted_to.workflow_id).signal(
                    "lock_granted"
                )
            except ApplicationError:
                # The promotion is gone. Unless it has said so already, the lock is free again.
                if self._holder is granted_to:
                    self._holder = None
                continue
            if self._holder is not None:
                return True
        return False

    async def _look_after_holder(self) -> None:
        """Return when the lock is free again, or was looked after once while others wait."""
        await workflow.wait_condition(lambda: self._holder is None or bool(self._queue))
        try:
            await workflow.wait_condition(lambda: self._holder is None, timeout=WATCH_INTERVAL)
        except TimeoutError:
            holder = self._holder
            if holder is not None and not await self._is_alive(holder):
                self.release(holder.promotion_id)

    async def _is_alive(self, holder: LockRequest) -> bool:
        return await workflow.execute_local_activity(is_holder_alive, holder.workflow_id, **SHORT)

    def _show(self) -> None:
        lines = ["nobody deploys" if self._holder is None else f"deploys: {_line(self._holder)}"]
        lines += [f"{place}. {_line(one)}" for place, one in enumerate(self._queue, start=1)]
        workflow.set_current_details("\n\n".join(lines))


def _replaces(wanted: LockRequest, other: LockRequest) -> bool:
    same_workflow = wanted.workflow_id == other.workflow_id
    return same_workflow and wanted.promotion_id != other.promotion_id


def _line(one: LockRequest) -> str:
    return f"**{one.release}** for {one.requested_by}, promotion `{one.promotion_id}`"


class EnvironmentLock:
    """The lock of one environment, as a promotion's workflow sees it."""

    def __init__(self) -> None:
        self._granted = False

    def grant(self) -> None:
        """The lock says that this promotion has it."""
        self._granted = True

    async def acquire(self, promotion: PromotionSnapshot) -> None:
        """Ask for the lock and wait until it is granted, however long that takes."""
        await workflow.execute_local_activity(
            request_lock,
            LockEnvironment(
                tenant=promotion.tenant,
                environment=promotion.environment.name,
                request=LockRequest(
                    promotion_id=promotion.promotion_id,
                    workflow_id=promotion.workflow_id,
                    release=promotion.release.ref,
                    requested_by=promotion.requested_by,
                    at=workflow.now(),
                ),
            ),
            summary=f"lock of {promotion.environment.name}",
            **SHORT,
        )
        await workflow.wait_condition(lambda: self._granted)

    async def release(self, promotion: PromotionSnapshot) -> None:
        """Give the lock back, or leave its queue."""
        lock = lock_workflow_id(promotion.tenant, promotion.environment.name)
        try:
            await workflow.get_external_workflow_handle(lock).signal(
                EnvironmentLockWorkflow.release, promotion.promotion_id
            )
        except ApplicationError as error:
            # A lock that is gone is held by nobody.
            workflow.logger.warning("the lock %s took no signal: %s", lock, error)
